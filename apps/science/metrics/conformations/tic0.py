"""Distribution along TIC 0, the reference's slowest coordinate."""

from apps.science.metrics.conformations._tic import TicMetric


class Metric(TicMetric):
    """TIC 0 of the model fitted on the reference."""

    label = "TIC 0"
    component = 0
