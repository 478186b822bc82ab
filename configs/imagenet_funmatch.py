"""Function matching: a patient and consistent teacher, on ImageNet.

Beyer et al., *Knowledge distillation: A good teacher is patient and consistent*, CVPR 2022: the
student learns the teacher's probabilities of mixed images that both of them see, for very long, and
no labels. The values are those of the authors' config, `proj/distill/bit_i1k.py` of big_vision. The
authors' networks are BiT-R152x2 and BiT-R50x1, which reaches 82.8 %; they keep 2 % of the training
split out, and their crops have at least 5 % of an image, here 8 %.

Command   python -m jaxkd.main --config=configs/imagenet_funmatch.py \
            --config.teacher.init_from=FILE --config.teacher.epochs=0
          python -m jaxkd.main --config=configs/imagenet_funmatch.py:student=resnet18
          python -m jaxkd.main --config=configs/imagenet_funmatch.py:runlocal   (4 epochs of a small pair)
          FILE has torchvision's weights. Without it the teacher is trained for 100 epochs by the
          same optimiser, on mixed images and their labels.
Paper     no figure: it doesn't train on ImageNet.
Measured  nothing at full length yet. Seed 0; made for many GPUs or TPUs: `optim.accumulate` divides
          the batch for fewer.
"""

from jaxkd.runs.recipes import parse_arg, recipe

EPOCHS, BATCH, EXAMPLES = 1200, 4096, 1_281_167


def get_config(arg=None):
  given = parse_arg(arg, teacher="", student="", runlocal=False)
  config = recipe("imagenet", arg, title="imagenet_funmatch", rows=("kd",))
  config.kd.lam = 1.0  # no labels
  config.kd.tau = 1.0  # the authors' config
  config.student_tau = 1.0
  config.kd.until = 1.0  # share of the training with the soft term
  config.kd.weight = 1.0  # factor of the soft term, beside lam
  config.data.mixup = 1.0  # a uniform share
  config.optim.name = "adamw"
  config.optim.clip_norm = 1.0
  config.optim.schedule = "cosine"
  # 0.0003 there, without the learning rate's factor 0.03.
  config.optim.weight_decay = 0.01
  config.optim.decay_norms_and_biases = False
  config.teacher.learning_rate = config.student.learning_rate = 0.03
  if given.runlocal:
    return config
  config.teacher.name = given.teacher or "resnext101_32x8d"
  config.student.name = given.student or "resnet50"
  config.data.batch_size = BATCH
  # "A good middle-ground", the authors' config says; 300 in its example.
  config.student.epochs = float(EPOCHS)
  config.optim.warmup = 5000 / (EPOCHS * EXAMPLES / BATCH)
  return config
