"""Distribution along TIC 1, the reference's second slowest coordinate."""

from apps.science.metrics.conformations._tic import TicMetric


class Metric(TicMetric):
    """TIC 1 of the model fitted on the reference."""

    label = "TIC 1"
    component = 1
