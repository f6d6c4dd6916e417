"""Training: fine-tuning, distillation, pre-training."""
