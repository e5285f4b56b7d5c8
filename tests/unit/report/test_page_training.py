"""Where each training ended, as the report tells it."""

import json
from pathlib import Path

from campaign.layout.protein_dir import ProteinDir
from campaign.report.kit.blocks import Note, Table
from campaign.report.parts.judged.convergence import doubt_training
from campaign.report.parts.learning.page_training import say_endings
from campaign.report.parts.learnt_source import LearntSource


def write_ending(
    source: LearntSource, model: str, trend: str, warning: str = ""
) -> None:
    folder = source.paths.model(model)
    folder.mkdir(parents=True)
    sentence = f"It was {trend}. {warning}"
    said = {"trend": trend, "warning": warning, "sentence": sentence}
    (folder / "ending.json").write_text(json.dumps(said))


def test_each_model_says_how_its_training_ended(tmp_path: Path) -> None:
    source = LearntSource(ProteinDir(tmp_path))
    assert say_endings(source, ["old"]) == []
    write_ending(source, "weighted", "falling")
    write_ending(source, "unweighted", "overfit", "The set is small.")
    caution, table = say_endings(source, ["weighted", "unweighted", "old"])
    assert caution == Note("The unweighted model: The set is small.", "caution")
    assert isinstance(table, Table)
    assert [[cell.text.strip() for cell in row] for row in table.rows] == [
        ["weighted", "It was falling."],
        ["unweighted", "It was overfit."],
    ]


def test_what_ending_json_says_counts_before_the_curve(tmp_path: Path) -> None:
    source = LearntSource(ProteinDir(tmp_path))
    for model, trend in (("a", "falling"), ("b", "flat")):
        write_ending(source, model, trend)
        (source.paths.model(model) / "metrics.csv").write_text(
            "epoch,train_loss,val_loss_weighted\n1,3,3\n2,2,2\n3,1,1\n"
        )
    (doubt,) = doubt_training(source)
    assert "Training of the a model was stopped" in doubt
