"""The configuration: every option with its default, and above it a comment on its meaning."""

import dataclasses

import ml_collections
from ml_collections import config_dict

from jaxkd import data, methods
from jaxkd.training import optim

SHARED = {"student_tau": 1.0}
"""Options that an experiment has once for all methods with this default; a section may differ."""


def default() -> ml_collections.ConfigDict:
  """Returns all options; `configs/` has the values that experiments use.

  Everything but `run`, `rows`, `seeds`, `title` and `data.data_dir` determines the result of some
  phase: a change trains new phases, and the old results stay.
  """
  config = ml_collections.ConfigDict()
  # Title of the report, and part of its folder's name.
  config.title = "untitled"
  # Rows of the table, in its order: names of methods; with `+ens` students predict together.
  config.rows = ("nokd", "kd", "ats", "isats")
  # Each row's student is trained once for each seed.
  config.seeds = (0,)
  # How many students predict together in a row with `+ens`, as in the paper: those of the first two
  # seeds, of the next two seeds, and so on.
  config.ensemble = 2
  # Temperature of the student in the soft terms of the rows that have the option `student_tau`,
  # unless the row's section sets its own: 1 as in the authors' code. Eq. 2 has the teacher's, tau.
  config.student_tau = SHARED["student_tau"]
  # Compute dtype of the networks, 'float32' or 'bfloat16'; parameters and statistics are float32.
  config.dtype = "float32"

  # The images, and how the networks see them.
  config.data = ml_collections.ConfigDict()
  # A data set's name, or `module:attribute` of a user's; see `jaxkd.data.register`.
  config.data.name = "digits"
  # Images in a step, a multiple of the number of devices.
  config.data.batch_size = 128
  # The share of the training split that is kept from training and evaluated instead of the test
  # split, for tuning.
  config.data.validation = 0.0
  # The share of the rest that is trained on, equal for every class.
  config.data.train_share = 1.0
  # Seed of the order of the examples and of augmentation; None: the network's. Students that share
  # it can share a teacher's forward pass.
  config.data.seed = config_dict.placeholder(int)
  # Operations on training images after crop and flip: 'randaugment' (Cubuk et al., 2020) or
  # 'trivialaugment' (Müller and Hutter, 2021), with torchvision's operations; empty: none.
  config.data.policy = data.UNCHANGED.policy
  # Operations of 'randaugment' on an image, one after the other.
  config.data.policy_operations = data.UNCHANGED.policy_operations
  # Magnitude of the operations of 'randaugment', from 0 to 30.
  config.data.policy_magnitude = data.UNCHANGED.policy_magnitude
  # Probability that a box of a training image is erased (Zhong et al., 2020).
  config.data.erasing = data.UNCHANGED.erasing
  # Mixup of training images and their labels (Zhang et al., 2018), before both student and teacher:
  # the parameter of the beta distribution of the share; 0: none.
  config.data.mixup = data.UNCHANGED.mixup
  # CutMix (Yun et al., 2019) likewise; with both, each batch has one of them, half of the time.
  config.data.cutmix = data.UNCHANGED.cutmix
  # Views of each training image under which students of teachers see it: in epoch e view e mod
  # `views`, a crop and a flip by `seed` (0 if that is None), example and view alone. A teacher's
  # predictions of a view are then computed once and serve all students. 0: new crops in every step.
  # Networks without a teacher get new crops in every step.
  config.data.views = 0
  # Folder of TFDS's data; empty: TFDS's default. For 'folder', the folder of train/<class>/
  # and test/<class>/.
  config.data.data_dir = ""

  # The large teacher.
  config.teacher = network("resnet20")
  # Folder of a finished phase that teaches instead; empty: the teacher is trained.
  config.teacher.checkpoint = ""
  # Folder of predictions that teach instead of a network, from `jaxkd.predict`; empty: none.
  config.teacher.predictions = ""
  # The small teacher, of the row stkd.
  config.small_teacher = network("resnet14")
  # The student of every row; `seeds` has its seeds.
  config.student = network("resnet8", seeded=False)

  # The optimiser and its learning rate, for all networks; `optim.RECIPE` tells the differences from
  # the authors' code.
  config.optim = ml_collections.ConfigDict()
  # The optimiser: 'sgd', 'nesterov', 'adamw' (Loshchilov and Hutter, 2019), 'lamb' (You et al.,
  # 2020) or 'muon' (Jordan et al., 2024; `jaxkd.training.muon`).
  config.optim.name = optim.LATER["name"]
  # Momentum of 'sgd' and 'nesterov'.
  config.optim.momentum = optim.RECIPE["momentum"]
  # Decay rate of the first moment; None: 0.9 for 'adamw' and 'lamb', 0.95 for 'muon'.
  config.optim.beta1 = config_dict.placeholder(float)
  # Decay rate of the second moment of 'adamw' and 'lamb'; None: 0.999.
  config.optim.beta2 = config_dict.placeholder(float)
  # Added to the root of the second moment; None: 1e-8 for 'adamw', 1e-6 for 'lamb'.
  config.optim.eps = config_dict.placeholder(float)
  # Factor of the weights that is added to the gradient of every parameter; to the step before its
  # learning rate in 'adamw', 'lamb' and 'muon'.
  config.optim.weight_decay = optim.RECIPE["weight_decay"]
  # False: no weight decay for norms, biases and other parameters of one dimension.
  config.optim.decay_norms_and_biases = optim.LATER["decay_norms_and_biases"]
  # Largest norm of the gradient of all parameters together, before weight decay; larger gradients
  # are scaled down to it. 0: no limit.
  config.optim.clip_norm = optim.LATER["clip_norm"]
  # Parts of a batch that pass through the student one after the other, for memory. Batch norm and
  # methods that compare the examples of a batch see one part at a time, and each part draws its own
  # dropout; other results are equal.
  config.optim.accumulate = optim.LATER["accumulate"]
  # The share of a label that is spread over all classes, in the cross entropy of labels alone
  # (Szegedy et al., 2016).
  config.optim.label_smoothing = optim.LATER["label_smoothing"]
  # Decay rate of the moving averages of weights and batch statistics. The averages are evaluated,
  # exported, and teach. In step t, from 0, the rate is at most (1 + t) / (10 + t). 0: no averages.
  config.optim.ema = optim.LATER["ema"]
  # Groups of consecutive images of a batch that the network's batch norm sees one at a time; each
  # group draws its own dropout. With the number of devices or a multiple of it, batch norm needs no
  # communication, as in PyTorch's DistributedDataParallel. 1: batch norm sees the whole batch.
  config.optim.batch_norm_groups = optim.LATER["batch_norm_groups"]
  # The schedule after the warm-up: 'step' drops the rate at `milestones`, 'cosine' and 'linear'
  # lower it to 0, 'constant' keeps it.
  config.optim.schedule = optim.LATER["schedule"]
  # Share of the training in which the rate rises from 0 to `learning_rate`.
  config.optim.warmup = optim.RECIPE["warmup"]
  # Shares of the training after which the rate drops in the schedule 'step'.
  config.optim.milestones = optim.RECIPE["milestones"]
  # Factor of the rate at each milestone.
  config.optim.decay = optim.RECIPE["decay"]

  # Options of methods for single rows, by row: the choices of `jaxkd.tune`.
  config.tuned = ml_collections.ConfigDict()

  # Factor of each method's loss in rows that add it to others', such as crd+kd.
  config.combined = ml_collections.ConfigDict(dict.fromkeys(methods.list_methods(), 1.0))
  # A section for each method that has options; its file in `jaxkd/methods/` explains them.
  for name, method in sorted(methods.all_methods().items()):
    options = {field.name: field.default for field in dataclasses.fields(method)}
    if options:
      unset = [key for key in options if options[key] in (None, SHARED.get(key))]
      optional = {key: config_dict.placeholder(float) for key in unset}
      config[name] = ml_collections.ConfigDict(options | optional)

  # Execution of a run; the results depend on it by rounding only.
  config.run = ml_collections.ConfigDict()
  # Epochs between two evaluations, each a line of `metrics.jsonl`.
  config.run.eval_every_epochs = 1.0
  # Steps between two checkpoints, which a stopped run resumes from.
  config.run.checkpoint_every_steps = 500
  # Checkpoints of a phase that are kept, the newest ones.
  config.run.keep_checkpoints = 2
  # Steps in one call of the device; 0: 1 on CPUs if an array of a network has more than two
  # dimensions, as kernels of convolutions have, else 50.
  config.run.steps_per_dispatch = 0
  # On GPUs, whether each step computes the same bits in every run; False lets XLA choose faster
  # algorithms, and a resumed training differs in rounding.
  config.run.deterministic = True
  # Students of a teacher that train in one step, with one forward pass of the teacher; each takes
  # the memory that it takes alone.
  config.run.cohort = 1
  # 'resident' keeps the data on the devices, 'streamed' decodes them in every epoch; 'auto' keeps
  # up to resident_gib there.
  config.run.loader = "auto"
  # The size in GiB above which 'auto' streams a data set, and predictions are streamed.
  config.run.resident_gib = data.RESIDENT_GIB
  # Processes that decode streamed images; 0: one for each core, 16 at most.
  config.run.workers = 0
  # Size in GiB up to which a store keeps predictions of its teachers, where `data.views` allows it;
  # 0: the teachers run in every step.
  config.run.predictions_gib = 8.0
  return config.lock()


def network(name: str, *, seeded: bool = True) -> ml_collections.ConfigDict:
  """Returns the options of one network."""
  config = ml_collections.ConfigDict()
  # A network's name, or `module:attribute` of a user's; see `jaxkd.models.register`.
  config.name = name
  # Further arguments of `models.create`.
  config.options = ml_collections.ConfigDict()
  # Passes over the training split; 0 evaluates the weights of `init_from` and trains nothing.
  config.epochs = 240.0
  # The highest learning rate, after the warm-up.
  config.learning_rate = 0.05
  # File of weights to start from, which `jaxkd.convert` reads; empty: random.
  config.init_from = ""
  if seeded:
    # Seed of its initialisation, dropout, and order of the examples.
    config.seed = 0
    # Height and width of its input, to which images are resized on the device; 0: as they are. For
    # the teacher of a `checkpoint`, the size that it was trained with.
    config.image_size = 0
    # Mean of each channel, of pixels in [0, 1], that its input is normalised by, as given weights
    # need it; empty: that of the data set.
    config.mean = ()
    # Standard deviation of each channel that its input is normalised by, as `mean`.
    config.std = ()
  return config
