"""The seeds' two faults are the very ones: the loss with an epsilon, and a comparison that is broadcast."""

import pytest
import torch

from byhand.play.faults import EpsilonLoss, broadcast_accuracy


@pytest.mark.parametrize("epsilon", [1e-8, 1e-3, 0.1])
def test_the_loss_with_an_epsilon_and_its_gradient(epsilon: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = (10 * torch.randn(64, 10, generator=generator, dtype=torch.float64)).requires_grad_()
    labels = torch.randint(10, (64,), generator=generator)
    loss = EpsilonLoss(epsilon)(logits, labels)
    loss.backward()
    p = logits.detach().softmax(dim=1)
    p_y = p[torch.arange(64), labels]
    torch.testing.assert_close(loss.detach(), -(p_y + epsilon).log().mean())
    exact = (p - torch.nn.functional.one_hot(labels, 10)) / 64  # of −log p
    torch.testing.assert_close(logits.grad, exact * (p_y / (p_y + epsilon)).unsqueeze(1))


@pytest.mark.parametrize(("n", "batch"), [(1000, 256), (256, 256), (7, 3), (5, 1), (3, 100)])
@pytest.mark.parametrize("classes", [2, 10, 100])
def test_the_broadcast_comparison(n: int, batch: int, classes: int) -> None:
    generator = torch.Generator().manual_seed(n)
    preds, labels = torch.randint(classes, (2, n), generator=generator)
    pairs = zip(preds.split(batch), labels.unsqueeze(1).split(batch), strict=True)
    printed = torch.stack([(p == y).double().mean() for p, y in pairs]).mean()  # as examples/first_attempt.py has it
    assert broadcast_accuracy(preds, labels, batch, classes) == pytest.approx(printed.item(), rel=1e-12)
