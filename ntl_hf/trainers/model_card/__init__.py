"""Model cards: what a run tells of itself, below a card made by transformers, TRL or peft."""

from .card import CITATION, TAGS, finish_card, section
from .facts import CardFacts, is_from_folder

__all__ = ["CITATION", "TAGS", "CardFacts", "finish_card", "is_from_folder", "section"]
