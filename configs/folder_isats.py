"""Your own photographs: a given ResNet-18 teaches a MobileNetV2 by KD and by ISATS.

Command   python -m jaxkd.main --config=configs/folder_isats.py --config.data.data_dir=FOLDER \
            --config.teacher.init_from=resnet18.pth
          Without `teacher.init_from` the teacher is trained: `--config.teacher.epochs=100`.
          Other networks: --config=configs/folder_isats.py:teacher=resnet50,student=resnet18
Paper     no figure: it has no such data.
Measured  nothing: the data are yours. Seed 0; made for one GPU.
"""

from jaxkd.runs.recipes import parse_arg, recipe, set_teacher


def get_config(arg=None):
  networks = parse_arg(arg, teacher="resnet18", student="mobilenet_v2")
  config = recipe("imagenet", title="folder_isats", rows=("nokd", "kd", "isats"))
  config.data.name = "folder"
  config.data.batch_size = 64
  set_teacher(config, networks.teacher)
  config.student.name = networks.student
  config.teacher.epochs = 0.0  # the weights of `teacher.init_from` as they are
  config.student.epochs = 100.0
  config.student.learning_rate = 0.05
  return config
