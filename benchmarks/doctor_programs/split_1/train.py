import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

from nets import BNNet


def batches(x, y, size):
    for rows in torch.randperm(len(x)).split(size):
        yield x[rows], y[rows]


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(9)
    X, t = load_digits(return_X_y=True)
    perm = torch.randperm(len(X))
    X = torch.tensor(X / 16, dtype=torch.float32)[perm]
    t = torch.tensor(t)[perm]
    x_train, y_train, x_valid, y_valid = X[:1280], t[:1280], X[1280:], t[1280:]
    model = BNNet()
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(20):
        model.train()
        for xb, yb in batches(x_train, y_train, 64):
            opt.zero_grad()
            F.cross_entropy(model(xb), yb).backward()
            opt.step()
        if epoch % 5 == 4:
            print(f"epoch {epoch}  valid accuracy {accuracy(model, x_valid, y_valid):.4f}")


if __name__ == "__main__":
    main()
