"""Hand-made faults, at least one a room of the package, each with the tests that are to catch it.

The old texts are formulas and comparisons, which a refactoring moves but does not rewrite. Paths are written out
whole, so that whoever moves a module or a test finds them by searching.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One change that must not go unnoticed.

    Attributes:
        name: for the command line.
        file: where, from the root of the checkout.
        old: what stands there exactly once.
        new: what takes its place.
        wrong: what then goes wrong.
        tests: folders, modules or node ids, from the root of the checkout, some of which must fail then.
    """

    name: str
    file: str
    old: str
    new: str
    wrong: str
    tests: tuple[str, ...]


FAULTS = (
    # ---- Settings ----
    Fault(
        "weight-one-step-early",
        "ntl_hf/trainers/callback.py",
        "self.factor_at(state.global_step, state.max_steps)",
        "self.factor_at(state.global_step + 1, state.max_steps)",
        "The schedule of the weight is one step ahead.",
        ("tests/trainers/test_logging.py::test_the_schedule_is_in_force_and_logged",),
    ),
    Fault(
        "settings-never-differ",
        "ntl_hf/settings/config.py",
        "for name in mine if mine[name] != theirs[name]",
        "for name in mine if name not in theirs",
        "Resuming with other settings of the loss is not noticed.",
        (
            "tests/settings/test_config.py::test_differences",
            "tests/trainers/test_bad_input.py::test_resuming_with_other_settings_warns_and_says_which",
        ),
    ),
    Fault(
        "secrets-of-one-shape",
        "ntl_hf/settings/redaction.py",
        "for shape in _SHAPES:",
        "for shape in _SHAPES[1:]:",
        "A token of the hub stays in what is written down.",
        ("tests/settings/test_redaction.py",),
    ),
    # ---- Number tokens and where they stand ----
    Fault(
        "two-digits-count",
        "ntl_hf/tokens/number_vocab.py",
        "if digits_only and len(digits) > 1:",
        "if digits_only and len(digits) > 2:",
        "Tokens of two digits are numbers without being asked for.",
        ("tests/tokens/test_number_vocab.py::test_digit_tokens_have_exactly_these_ids_and_values",),
    ),
    Fault(
        "no-sentencepiece-space",
        "ntl_hf/tokens/number_vocab.py",
        '_SPACE_MARKS = ("Ġ", "▁", " ")',
        '_SPACE_MARKS = ("Ġ", " ")',
        "`▁5` is no number token.",
        ("tests/tokens/test_number_vocab.py::test_a_digit_with_its_mark_is_worth_the_digit",),
    ),
    Fault(
        "place-of-the-first-digit",
        "ntl_hf/tokens/number_layout/layout.py",
        "self.whole_digits - self.digits_before - self.width",
        "self.whole_digits - self.digits_before - 1",
        "A token of several digits has the place of its first digit, not of its last.",
        (
            "tests/tokens/number_layout/test_layout.py::test_any_text_of_real_tokenizers",
            "tests/losses/test_whole_number.py",
        ),
    ),
    # ---- Losses ----
    Fault(
        "squash-upside-down",
        "ntl_hf/losses/distances.py",
        "(squash_factor - 1) / (furthest - nearest)",
        "(1 / squash_factor - 1) / (furthest - nearest)",
        "The furthest number costs less than the nearest.",
        ("tests/losses/test_number_losses.py::test_distances",),
    ),
    Fault(
        "mass-outside-for-free",
        "ntl_hf/losses/number_losses.py",
        "return losses * mass + outside * largest * OUTSIDE_FACTOR",
        "return losses * mass",
        "`reweigh` does not charge the probability beside the number tokens.",
        ("tests/losses/test_number_losses.py::test_reweighed_values_worked_by_hand",),
    ),
    # ---- Head ----
    Fault(
        "labels-one-further",
        "ntl_hf/tokens/targets.py",
        "return follow_virtual_tokens(labels)[..., 1:]",
        "return follow_virtual_tokens(follow_virtual_tokens(labels))[..., 2:]",
        "A decoder learns the token after the next.",
        ("tests/head/test_from_logits.py::test_shift_by_hand",),
    ),
    Fault(
        "last-chunk-of-the-weight",
        "ntl_hf/head/one_pass/run.py",
        "self._of_weight.addmm_(gradient.T, states)",
        "self._of_weight.copy_(gradient.T @ states)",
        "The gradient of the output weight is that of the last chunk alone.",
        ("tests/head/test_one_pass.py::test_any_mask_any_chunks",),
    ),
    Fault(
        "no-bias",
        "ntl_hf/head/fused.py",
        'weight, bias = head.weight, getattr(head, "bias", None)',
        "weight, bias = head.weight, None",
        "The fused head leaves the bias of the output layer out.",
        ("tests/head/test_fused.py::test_a_head_with_a_bias",),
    ),
    # ---- Objective and trainers ----
    Fault(
        "ignored-labels-count",
        "ntl_hf/head/from_logits.py",
        "label_mask=labels != IGNORE_INDEX,",
        "label_mask=labels == labels,",
        "Positions without a label count in the means.",
        ("tests/head/test_from_logits.py::test_masks_and_columns",),
    ),
    Fault(
        "numbers-of-the-batch",
        "ntl_hf/trainers/loss_side.py",
        "numbers: Any = step.num_numbers",
        "numbers: Any = (targets.columns >= 0).sum()",
        "The number loss is divided by the numbers of the micro-batch instead of the step.",
        ("tests/trainers/test_gradients.py::test_decoder_at_any_accumulation_and_with_micro_batches_without_numbers",),
    ),
    Fault(
        "divided-twice",
        "ntl_hf/trainers/steps.py",
        "loss_is_scaled_for_ga = True",
        "loss_is_scaled_for_ga = False",
        "Under accumulation the loss is divided once more by the trainer.",
        ("tests/trainers/test_gradients.py::test_decoder_at_any_accumulation_and_with_micro_batches_without_numbers",),
    ),
    Fault(
        "averaged-over-processes",
        "ntl_hf/trainers/steps.py",
        "return self.accelerator.num_processes // self.get_tp_size()",
        "return 1",
        "With several processes the gradient is too small by their number.",
        ("tests/systems/test_trainer.py::test_two_processes_are_one",),
    ),
    Fault(
        "no-settings-beside-the-model",
        "ntl_hf/trainers/saving.py",
        "self._finished_record().settings.save(folder)",
        "self._finished_record().settings.check()",
        "A saved model comes without `ntl_config.json`.",
        (
            "tests/trainers/test_saving.py::test_every_checkpoint_has_its_manifest_and_the_limit_is_kept",
            "tests/trainers/test_saving.py::test_only_the_process_that_saves_writes_the_settings",
        ),
    ),
    Fault(
        "frozen-digits",
        "ntl_hf/trainers/lora.py",
        "if not rows:",
        "if rows:",
        "An adapter does not train the rows of the digits.",
        ("tests/trainers/test_lora.py::test_gradient_through_trained_rows",),
    ),
    # ---- Data, numbers in text, decoding, evaluation ----
    Fault(
        "prompt-has-labels",
        "ntl_hf/data/encode.py",
        "labels = ([_IGNORE] * len(source) + completion)[: self.max_length]",
        "labels = (source + completion)[: self.max_length]",
        "The prompt is trained on as well.",
        ("tests/data/test_encode.py",),
    ),
    Fault(
        "thousands-cut-off",
        "ntl_hf/data/number_text/grammar.py",
        'digits.replace(",", "").lower()',
        'digits.partition(",")[0].lower()',
        "`1,234` reads as 1.",
        ("tests/data/number_text/test_number_text.py::test_a_number_is_read",),
    ),
    Fault(
        "mean-for-median",
        "ntl_hf/decoding/distribution.py",
        "value = weighted_quantile(self.values, self.weights, 0.5)",
        "value = float(np.dot(self.values, self.weights))",
        "The answer of the least absolute error is that of the least squared one.",
        ("tests/decoding/test_distribution.py",),
    ),
    Fault(
        "narrow-intervals",
        "ntl_hf/evaluation/bootstrap.py",
        "[(1 - confidence) / 2, (1 + confidence) / 2]",
        "[1 - confidence, confidence]",
        "The intervals of 95 % cover 90 %.",
        (
            "tests/evaluation/test_bootstrap.py::test_as_scipy",
            "tests/evaluation/test_bootstrap.py::test_an_interval_of_95_percent_covers_in_about_95_percent",
        ),
    ),
    # ---- Baselines and other frameworks ----
    Fault(
        "places-upside-down",
        "ntl_hf/systems/regression_transformer/model.py",
        "torch.pow(10.0, tokens.place(ids).float())",
        "torch.pow(10.0, -tokens.place(ids).float())",
        "The Regression Transformer encodes tens as tenths.",
        ("tests/systems/test_encodings.py",),
    ),
    Fault(
        "numbers-off-the-mask",
        "ntl_hf/systems/xval/mixin.py",
        ".where(is_number, 0.0)",
        ".where(labels != IGNORE_INDEX, 0.0)",
        "xVal's squared error is taken at words as well.",
        ("tests/systems/test_xval_model.py::test_losses_predictions_and_gradients_equal_a_loop",),
    ),
    Fault(
        "numbers-without-their-share",
        "ntl_hf/integrations/batch_loss.py",
        "weight * (count * mean)",
        "weight * mean",
        "In other frameworks the number loss is divided by the labels of the step once more.",
        ("tests/integrations/test_loss_func.py::test_the_sum_over_micro_batches_is_what_the_docstring_says",),
    ),
    Fault(
        "relative-to-the-answer",
        "ntl_hf/integrations/rewards.py",
        "np.maximum(np.abs(true), self.floor)",
        "np.maximum(np.abs(given), self.floor)",
        "The relative reward divides by the answer, so that large answers are cheap.",
        ("tests/integrations/test_rewards.py::test_by_hand",),
    ),
    # ---- Commands ----
    Fault(
        "another-answer-mark",
        "ntl_hf/runs/tasks.py",
        "answer_mark=ANSWER_MARK",
        "answer_mark=None",
        "Of a GSM8K completion the whole text is taken for the answer.",
        ("tests/data/test_recipes.py::test_answer_marks",),
    ),
    Fault(
        "cells-of-other-settings",
        "ntl_hf/compare/cell_folder.py",
        '_check_same(training["settings"], cell.settings,',
        "_check_same(cell.settings, cell.settings,",
        "A comparison takes cells that were trained with other settings.",
        ("tests/compare/test_cell_folder.py",),
    ),
    Fault(
        "difference-of-the-other-sign",
        "ntl_hf/compare/paired.py",
        "scorer(first[sample], targets[sample]) - scorer(second[sample], targets[sample])",
        "scorer(second[sample], targets[sample]) - scorer(first[sample], targets[sample])",
        "The report says better where it is worse.",
        ("tests/compare/test_paired.py",),
    ),
    Fault(
        "unknown-keys-pass",
        "ntl_hf/settings/recipes.py",
        "if key not in actions:",
        "if key is None:",
        "A misspelt key of a recipe is not told with the nearest known one.",
        ("tests/cli/test_sft.py::test_refused_with_one_line",),
    ),
    Fault(
        "usage-errors-end-with-1",
        "ntl_hf/cli/process.py",
        "return USAGE",
        "return 1",
        "Wrong usage has the exit code of a failure.",
        ("tests/cli/test_manners.py::test_wrong_usage_of_a_command_with_a_recipe",),
    ),
)
