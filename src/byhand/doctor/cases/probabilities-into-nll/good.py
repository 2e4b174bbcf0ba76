import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(0)
x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x / 16, y, test_size=0.25, random_state=0)
x_train, x_test = torch.tensor(x_train).float(), torch.tensor(x_test).float()
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

w = torch.zeros(64, 10, requires_grad=True)
b = torch.zeros(10, requires_grad=True)


def model(xb):
    return F.log_softmax(xb @ w + b, dim=1)


lr = 0.5
for epoch in range(40):
    for rows in torch.randperm(len(x_train)).split(64):
        log_probs = model(x_train[rows])
        loss = F.nll_loss(log_probs, y_train[rows])
        loss.backward()
        with torch.no_grad():
            for p in (w, b):
                p -= lr * p.grad
                p.grad.zero_()
    with torch.no_grad():
        probs = model(x_test).exp()  # back to probabilities, to look at them
        preds = probs.argmax(dim=1)
        sure = probs.max(dim=1).values.mean()
    print(epoch, (preds == y_test).float().mean().item(), f"mean confidence {sure:.2f}")
