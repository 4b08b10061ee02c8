"""What the loss costs, in time and memory, beside the trainers and losses that people would use instead."""
