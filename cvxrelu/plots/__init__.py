"""Pictures of networks of one or two inputs."""

from cvxrelu.plots.pictures import (
    check_picture,
    plot_network,
    plot_network_1d,
    plot_network_2d,
    save_picture,
    visible_knots,
)

__all__ = ["check_picture", "plot_network", "plot_network_1d", "plot_network_2d", "save_picture", "visible_knots"]
