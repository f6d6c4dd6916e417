"""Train encoders across languages: pre-training, contrastive fine-tuning, distillation, classification."""

__all__: list[str] = []
