"""Model cards: what a run tells of itself, below a card made by transformers, TRL or peft."""

from .card import CITATION, TAGS, finish_card, section
from .facts import CardFacts, DataFacts, is_from_folder, read_facts

__all__ = ["CITATION", "TAGS", "CardFacts", "DataFacts", "finish_card", "is_from_folder", "read_facts", "section"]
