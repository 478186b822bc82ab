"""DIST (Huang et al., NeurIPS 2022): correlations between and within classes."""

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, TEMPERATURE, Method, Terms, View, option, register
from jaxkd.methods.base import without_cross_entropy


@register("dist")
class DIST(Method):
  """Cross entropy, and Pearson correlations of rows and columns of the softened probabilities."""

  beta: float = option(2.0, "the original for CIFAR-100; 1 for ImageNet", NOT_NEGATIVE)
  gamma: float = option(2.0, "the original for CIFAR-100; 1 for ImageNet", NOT_NEGATIVE)
  tau: float = option(4.0, "the original for CIFAR-100; 1 for ImageNet", TEMPERATURE)

  mixed_labels = True
  search = {"beta": (1.0, 2.0), "gamma": (1.0, 2.0)}

  def loss(self, view: View) -> Terms:
    logits = view.student.logits, view.teacher.logits
    total = losses.dist(*logits, view.labels, beta=self.beta, gamma=self.gamma, tau=self.tau)
    return without_cross_entropy(view, "relations", total), {}
