"""Class names of the data sets of the paper's rules."""

# CIFAR-100's classes in the order of its labels, as TFDS names them.
CIFAR100_CLASSES = tuple(
  """
  apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy
  bridge bus butterfly camel can castle caterpillar cattle chair chimpanzee
  clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
  flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
  leopard lion lizard lobster man maple_tree motorcycle mountain mouse
  mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
  plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea
  seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
  sunflower sweet_pepper table tank telephone television tiger tractor train
  trout tulip turtle wardrobe whale willow_tree wolf woman worm
  """.split()  # noqa: SIM905 (a hundred quoted names are harder to read)
)

# Digits-Five's 50 classes: the ten digits of each data set in turn.
DIGITS_FIVE_CLASSES = tuple(
  f"{domain}@{digit}"
  for domain in ("MNIST", "MNISTM", "USPS", "SVHN", "SYN")
  for digit in range(10)
)
