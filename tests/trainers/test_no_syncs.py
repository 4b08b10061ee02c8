"""The hot path reads nothing back from the device: no scalar, no data-dependent shape."""

import pytest
import torch
from trl import SFTTrainer

from ntl_hf import (
    NTLConfig,
    NTLoss,
    NTLSFTTrainer,
    NTLTrainer,
)
from tests.build import make_trainer
from tests.syncs import CatchSyncs
from tests.tiny import char_tokenizer, tiny_model


def test_the_net_catches():
    x = torch.arange(4)
    for read in (lambda: x.sum().item(), lambda: x[x > 1], lambda: bool((x > 1).any()), lambda: x.nonzero()):
        with CatchSyncs() as net:
            read()
        assert net.found


CONFIGS = {
    "reweighed": {"reweigh": True, "squash_factor": 2.0},
    "balanced sum": {"loss": "was:0.3+crps:0.5+del:0.1+number:0.1", "place_weights": "ntil", "balance": "gradient"},
    "raft": {"loss": "raft+crps", "raft_grid": [1, 2, 3], "balance": "loss"},
}


@pytest.mark.parametrize("config", CONFIGS)
def test_plain_trainer_from_logits_to_logged_components(config, tmp_path):
    """Everything of ours around the model's forward pass, backward included."""
    options = {"ntl_config": NTLConfig(**CONFIGS[config], head="logits")}
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, trainer_options=options, label_smoothing_factor=0.1)
    batch = next(iter(trainer.get_train_dataloader()))
    batches, num_items = trainer.get_batch_samples(iter([batch]), 1, torch.device("cpu"))
    logits = trainer.model(input_ids=batch["input_ids"]).logits.detach().requires_grad_()
    trainer.get_batch_samples(iter([batch]), 1, torch.device("cpu"))
    if trainer.objective.syntax is not None:
        trainer.objective.syntax.layout(batch["labels"])  # its tables
    with CatchSyncs() as net:
        trainer.get_batch_samples(iter(batches), 1, torch.device("cpu"))
        trainer._loss_of_outputs({"logits": logits}, batch, num_items).backward()
        trainer.ntl_callback.on_step_end()
    assert net.found == []
    assert logits.grad.abs().sum() > 0


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_the_fused_head_reads_once_which_positions_have_labels(trainer_class, config, tmp_path):
    """A whole training step against the same one without our part: the stock trainer's, or the bare model's."""
    options = {"ntl_config": NTLConfig(**CONFIGS[config])}
    trainer = make_trainer(trainer_class, tiny_model(), tmp_path, trainer_options=options)
    batches, num_items = trainer.get_batch_samples(iter(trainer.get_train_dataloader()), 1, torch.device("cpu"))
    trainer.compute_loss(trainer.model, dict(batches[0]), num_items_in_batch=num_items)  # caches, the check
    with CatchSyncs() as ours:
        trainer.get_batch_samples(iter(batches), 1, torch.device("cpu"))
        trainer.compute_loss(trainer.model, dict(batches[0]), num_items_in_batch=num_items).backward()
    with CatchSyncs() as stock:
        if trainer_class is NTLSFTTrainer:
            SFTTrainer.compute_loss(trainer, trainer.model, dict(batches[0]), num_items_in_batch=num_items).backward()
        else:
            trainer.model(**batches[0]).loss.backward()
    assert sorted(ours.found) == sorted([*stock.found, "nonzero"])


def test_the_plain_loss_on_an_accelerator_has_no_reads():
    """`NTLoss` checks values on the CPU only; what runs elsewhere is the rest."""
    loss = NTLoss(char_tokenizer(), reweigh=True)
    loss.vocab.check_fits(64)  # host values, read on first use
    loss.vocab.columns(torch.empty(0, dtype=torch.long, device="meta"))
    logits, labels = torch.randn(2, 5, 64, requires_grad=True), torch.randint(4, 50, (2, 5))
    with CatchSyncs() as net:
        loss(logits.to("meta"), labels.to("meta"))
    assert net.found == []
