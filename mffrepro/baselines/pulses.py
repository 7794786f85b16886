"""Pulse-coupled neural networks: a neuron per pixel, which fires more often the stronger it and its neighbours are fed."""

import cv2
import numpy as np

#: Weights of the pulses of neighbours: one over the distance.
LINKS = np.array([[0.5**0.5, 1, 0.5**0.5], [1, 0, 1], [0.5**0.5, 1, 0.5**0.5]], np.float32)

#: Weights of the pulses of neighbours in a spiking cortical model.
NEIGHBOURS = np.array([[0.1091, 0.1409, 0.1091], [0.1409, 0, 0.1409], [0.1091, 0.1409, 0.1091]], np.float32)


def firings(
    stimuli: np.ndarray,
    *,
    iterations: int = 200,
    link_decay: float = 1.0,
    threshold_decay: float = 0.2,
    linking: float = 3.0,
    threshold_rise: float = 20.0,
    exchange: float = 0.0,
) -> np.ndarray:
    """Count how often each neuron of N networks fires: (N, H, W) float32.

    Args:
        stimuli: (N, H, W) in [0, 1], what the neurons are fed.
        iterations: Steps of time.
        link_decay: Rate at which what was heard fades, per step.
        threshold_decay: Rate at which the threshold falls.
        linking: Strength of what is heard against what is fed.
        threshold_rise: What a neuron's own pulse adds to its threshold.
        exchange: How loud a neuron hears those at its place in the other networks; the four beside it in its own count 1.

    References:
        [qu2008]; defaults from its code.
    """
    # Counts are whole numbers, and single precision is twice as fast. The networks lie in one plane, a silent row apart.
    apart = np.pad(stimuli.astype(np.float32), ((0, 0), (0, 1), (0, 0)))
    fed = apart.reshape(-1, apart.shape[-1])
    # Activity is stimulus (1 + linking heard); the bracket obeys the same recursion as what is heard, save for a constant.
    bracket, threshold, pulses, counts = np.ones_like(fed), np.zeros_like(fed), np.zeros_like(fed), np.zeros_like(fed)
    heard, excess = np.empty_like(fed), np.empty_like(fed)
    fade, fall = np.exp(-link_decay), np.exp(-threshold_decay)
    for _ in range(iterations):
        cv2.filter2D(pulses, -1, LINKS, dst=heard, borderType=cv2.BORDER_CONSTANT)
        if exchange:
            networks = pulses.reshape(apart.shape)
            heard += exchange * (networks.sum(0) - networks).reshape(fed.shape)
        cv2.addWeighted(bracket, fade, heard, linking, 1 - fade, dst=bracket)
        cv2.addWeighted(threshold, fall, pulses, threshold_rise, 0, dst=threshold)
        cv2.multiply(fed, bracket, dst=excess)
        cv2.subtract(excess, threshold, dst=excess)
        cv2.threshold(excess, 0, 1, cv2.THRESH_BINARY, dst=pulses)
        cv2.add(counts, pulses, dst=counts)
    return counts.reshape(apart.shape)[:, :-1]


def spikes(
    stimuli: np.ndarray, *, iterations: int = 200, decay: float = 0.2, threshold_decay: float = 0.9, threshold_rise: float = 20.0
) -> np.ndarray:
    """Count how often spiking cortical neurons fire: (N, H, W) float32.

    A neuron hears its eight neighbours as loudly as it is fed, and remembers a share of its own activity.

    Args:
        stimuli: (N, H, W) in [0, 1], what the neurons are fed.
        iterations: Steps of time.
        decay: Share of its activity that a neuron keeps, per step.
        threshold_decay: Share of its threshold that it keeps. It starts at 1.
        threshold_rise: What a neuron's own pulse adds to its threshold.

    References:
        [zhan2009scm]; defaults from its authors' code, which takes 40 steps.
    """
    fed = np.pad(stimuli.astype(np.float32), ((0, 0), (0, 1), (0, 0)))  # one plane, the models a silent row apart
    shape, fed = fed.shape, fed.reshape(-1, fed.shape[-1])
    activity, pulses, counts = np.zeros_like(fed), np.zeros_like(fed), np.zeros_like(fed)
    threshold, heard, excess = np.ones_like(fed), np.empty_like(fed), np.empty_like(fed)
    for _ in range(iterations):
        cv2.filter2D(pulses, -1, NEIGHBOURS, dst=heard, delta=1, borderType=cv2.BORDER_CONSTANT)
        cv2.multiply(fed, heard, dst=excess)
        cv2.addWeighted(activity, decay, excess, 1, 0, dst=activity)
        cv2.addWeighted(threshold, threshold_decay, pulses, threshold_rise, 0, dst=threshold)
        cv2.subtract(activity, threshold, dst=excess)
        cv2.threshold(excess, 0, 1, cv2.THRESH_BINARY, dst=pulses)
        cv2.add(counts, pulses, dst=counts)
    return counts.reshape(shape)[:, :-1]


def normalised(plane: np.ndarray) -> np.ndarray:
    """Scale a plane from its least value, 0, to its largest, 1; 0 where it is flat."""
    return (plane - plane.min()) / (np.ptp(plane) + np.finfo(float).eps)


def spatial_frequency(plane: np.ndarray, *, diagonals: bool = False) -> np.ndarray:
    """Compute the root mean squared difference to earlier neighbours, over 3x3 pixels.

    With `diagonals` both upper diagonal neighbours count too, each by half: they are farther by the root of two.
    """
    squares = sum(np.diff(plane, axis=axis, prepend=np.take(plane, [0], axis)) ** 2 for axis in (0, 1))
    if diagonals:
        above = np.pad(plane, ((1, 0), (1, 1)), mode="edge")[:-1]
        squares = squares + sum((plane - above[:, side : side + plane.shape[1]]) ** 2 for side in (0, 2)) / 2
    return np.sqrt(cv2.blur(squares, (3, 3), borderType=cv2.BORDER_REPLICATE).clip(0))  # running sums can end below zero
