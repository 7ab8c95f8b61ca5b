"""Pictures of networks of one or two inputs, and the colours that all pictures of the project have."""

from cvxrelu.plots.pictures import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    check_picture,
    plot_network,
    plot_network_1d,
    plot_network_2d,
    save_picture,
    visible_knots,
)

__all__ = [
    "BLUE",
    "GREY",
    "INK",
    "ORANGE",
    "check_picture",
    "plot_network",
    "plot_network_1d",
    "plot_network_2d",
    "save_picture",
    "visible_knots",
]
