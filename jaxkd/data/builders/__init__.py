"""TFDS builders of data sets that TFDS lacks; importing registers them.

They write encoded images, for which TFDS needs no TensorFlow.
"""

from jaxkd.data.builders.cub import Cub
from jaxkd.data.builders.digits_five import DigitsFive
from jaxkd.data.builders.syn_digits import SynDigits
from jaxkd.data.builders.tiny_imagenet import TinyImagenet

__all__ = ["Cub", "DigitsFive", "SynDigits", "TinyImagenet"]
