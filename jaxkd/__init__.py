"""Knowledge distillation in JAX, for teachers of every capacity."""
