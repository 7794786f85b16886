"""Read the learning rates of a recipe off its schedule."""

import torch


def rates(recipe) -> list[float]:
    """Run the schedule of a recipe without training; return the rate of each epoch."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=recipe.rate)
    scheduler, found = recipe.scheduler(optimiser), []
    for _ in range(recipe.epochs):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return found
