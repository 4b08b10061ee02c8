"""`Trie`: the candidates' token ids, with what they begin with in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .formats import MOST_NODES


@dataclass
class Trie:
    """Prefixes of candidates; node 0 is the empty one.

    Attributes:
        children: of each node, the next tokens and the nodes they lead to.
        candidate: of each node, which candidate ends there; -1 for none.
        count: how many candidates there are.
    """

    children: list[dict[int, int]] = field(default_factory=lambda: [{}])
    candidate: list[int] = field(default_factory=lambda: [-1])
    count: int = 0

    @classmethod
    def from_ids(cls, candidates: Sequence[Sequence[int]]) -> "Trie":
        """Build it.

        Args:
            candidates: token ids, no two equal.

        Raises:
            ValueError: it has more than 100,000 nodes.
        """
        trie = cls(count=len(candidates))
        for i, ids in enumerate(candidates):
            node = 0
            for token in ids:
                node = trie.children[node].get(token) or trie._grow(node, token)
            trie.candidate[node] = i
            if len(trie.children) > MOST_NODES:
                raise ValueError(f"The formats have more than {MOST_NODES:,} different beginnings: take samples.")
        return trie

    def _grow(self, node: int, token: int) -> int:
        new = len(self.children)
        self.children[node][token] = new
        self.children.append({})
        self.candidate.append(-1)
        return new
