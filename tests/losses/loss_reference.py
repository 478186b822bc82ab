"""The losses in float64 NumPy, from the papers' equations.

Deliberately naive: no log space, no masks, one example after the other.
"""

import numpy as np


def softmax(logits, tau=1.0):
  scaled = np.asarray(logits, np.float64) / tau
  powers = np.exp(scaled - scaled.max())
  return powers / powers.sum()


def asymmetric_softmax(logits, label, tau1, tau2):
  taus = np.full(len(logits), tau2, np.float64)
  taus[label] = tau1
  return softmax(logits, taus)


def standardize(logits):
  logits = np.asarray(logits, np.float64)
  return (logits - logits.mean()) / logits.std(ddof=1)


def wrong(values, label):
  return np.delete(values, label)


def optimal_temperature(logits, label, grid):
  variances = [np.var(wrong(softmax(logits, tau), label)) for tau in grid]
  return grid[int(np.argmax(variances))]


def distillation(student, label, teacher_probs, lam, tau):
  hard = -np.log(softmax(student)[label])
  soft = -np.sum(teacher_probs * np.log(softmax(student, tau)))
  return (1 - lam) * hard + lam * tau**2 * soft


def kd(student, teacher, label, lam, tau):
  return distillation(student, label, softmax(teacher, tau), lam, tau)


def ats(student, teacher, label, lam, tau1, tau2, student_tau=1.0):
  probs = asymmetric_softmax(teacher, label, tau1, tau2)
  return distillation(student, label, probs, lam, student_tau)


def isats(student, teacher, label, lam, grid, gap=1.0, student_tau=1.0):
  tau = optimal_temperature(teacher, label, grid)
  return ats(student, teacher, label, lam, tau + gap, tau, student_tau)


def class_means(logits, labels, num_classes, tau):
  probs = np.stack([softmax(row, tau) for row in logits])
  return np.stack(
    [
      probs[labels == c].mean(0) if np.any(labels == c) else 0 * probs[0]
      for c in range(num_classes)
    ]
  )


def fgcr(student, teacher, label, means, lam, tau, alpha):
  fused = (1 - alpha) * softmax(teacher, tau) + alpha * means[label]
  return distillation(student, label, fused, lam, tau)


def regt(logits, label, beta):
  probs = softmax(logits)
  deviation = np.std(wrong(probs, label))
  return -np.log(probs[label]) + beta * (probs[label] - deviation)


def kl(p, q):
  return np.sum(p * np.log(p / q))


def dkd(student, teacher, label, alpha, beta, tau):
  s, t = softmax(student, tau), softmax(teacher, tau)
  target = kl(np.array([t[label], 1 - t[label]]), [s[label], 1 - s[label]])
  rest = kl(softmax(wrong(teacher, label), tau), softmax(wrong(student, label), tau))
  return tau**2 * (alpha * target + beta * rest)


def pearson(a, b):
  a, b = a - a.mean(), b - b.mean()
  return np.sum(a * b) / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-8)


def dist(student, teacher, labels, beta, gamma, tau):
  s = np.stack([softmax(row, tau) for row in student])
  t = np.stack([softmax(row, tau) for row in teacher])
  hard = np.mean([-np.log(softmax(row)[y]) for row, y in zip(student, labels, strict=True)])
  inter = 1 - np.mean([pearson(a, b) for a, b in zip(s, t, strict=True)])
  intra = 1 - np.mean([pearson(a, b) for a, b in zip(s.T, t.T, strict=True)])
  return hard + tau**2 * (beta * inter + gamma * intra)


def attention(features):
  energy = np.mean(np.asarray(features, np.float64) ** 2, axis=-1).ravel()
  return energy / np.linalg.norm(energy)


def at(student, teacher):
  return np.mean((attention(student) - attention(teacher)) ** 2)


def huber(a, b):
  gap = abs(a - b)
  return 0.5 * gap**2 if gap <= 1 else gap - 0.5


def rkd(student, teacher, distance, angle):
  def distances(x):
    d = np.array([[np.linalg.norm(a - b) for b in x] for a in x])
    return d / d[d > 0].mean()

  def cosine(x, i, j, k):
    a, b = x[j] - x[i], x[k] - x[i]
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return a @ b / lengths if lengths else 0.0

  n = len(student)
  pairs = zip(distances(student).flat, distances(teacher).flat, strict=True)
  distance_loss = np.mean([huber(a, b) for a, b in pairs])
  angle_loss = np.mean(
    [
      huber(cosine(student, i, j, k), cosine(teacher, i, j, k))
      for i in range(n)
      for j in range(n)
      for k in range(n)
    ]
  )
  return distance * distance_loss + angle * angle_loss


def unit(x):
  return x / np.linalg.norm(x)


def crd(student, teacher, negatives, num_examples, normalizer, tau):
  noise = len(negatives) / num_examples

  def h(other):
    score = np.exp(unit(student) @ unit(other) / tau) / normalizer
    return score / (score + noise)

  return -np.log(h(teacher)) - sum(np.log(1 - h(other)) for other in negatives)


def gradient(function, x, step=1e-6):
  """Returns the central-difference gradient of a scalar function."""
  x = np.asarray(x, np.float64)
  result = np.zeros_like(x)
  for index in np.ndindex(x.shape):
    shift = np.zeros_like(x)
    shift[index] = step
    result[index] = (function(x + shift) - function(x - shift)) / (2 * step)
  return result
