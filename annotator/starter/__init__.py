"""How the starter model's training corpus is made of public data; see docs/model-card.md."""
