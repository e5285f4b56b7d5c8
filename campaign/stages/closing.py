"""What the driver does itself at the end: the table of experiments, and the page."""

from collections.abc import Sequence

from campaign.context import Context, StageFuture
from campaign.declared import DRIVER, Stage
from campaign.layout.protein_dir import ProteinDir
from campaign.stages.variants import Variant


def declare_closing(experiments: bool) -> list[Stage]:
    """Return the last stages of a campaign, with experiments or without."""
    table = Stage(
        "experiments", brief="one table of all models, what differs and every figure",
        role=DRIVER, at_once=True,
    )  # fmt: skip
    page = Stage(
        "report", brief="the page to look at", role=DRIVER, at_once=True,
        writes_page=True,
    )  # fmt: skip
    return [table, page] if experiments else [page]


def compare_experiments(
    ctx: Context,
    variants: Sequence[Variant],
    homes: Sequence[ProteinDir],
    after: Sequence[StageFuture],
) -> StageFuture:
    """Write one table of all models: what differs, losses, ranks, every figure."""
    from campaign.stages.experiments import Experiment, figures_file, write_experiments

    asked = [Experiment(v.name, v.changes) for v in variants]

    def work() -> None:
        write_experiments(run, asked, homes)

    run = ProteinDir(ctx.paths.root)
    folder = run.experiments
    outputs = [folder / "table.csv", *(figures_file(folder, home) for home in homes)]
    return ctx.drive("experiments", outputs, work, after, noted=True, sums_up=True)


def report(ctx: Context, after: Sequence[StageFuture]) -> StageFuture:
    """Write the page to look at."""
    from campaign.report.build import write_report

    def work() -> None:
        write_report(ctx.paths.root)

    return ctx.drive(
        "report", [ctx.paths.report], work, after, noted=True, sums_up=True
    )
