"""A first look: the digits that scikit-learn embeds, a minute or two on a CPU.

  ./launch.sh
  python -m jaxkd.main --config=configs/digits_isats.py

The teacher is a ResNet-20, the student an MLP of 16 hidden units; 1437 images
to train on, 360 to test.
"""

from jaxkd import config as jaxkd_config


def get_config(arg=None):
  config = jaxkd_config.default()
  config.title = "digits_isats"
  config.rows = ("nokd", "kd", "ats", "isats")
  config.data.name = "digits"
  config.data.batch_size = 64

  config.teacher.name = "resnet20"
  config.teacher.epochs = 40.0
  config.student.name = "mlp"
  config.student.options = {"depth": 1, "width": 16}
  config.student.epochs = 40.0

  config.run.eval_every_epochs = 4.0
  return config
