import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split
from sklearn.datasets import make_classification

torch.manual_seed(0)
X, y = make_classification(n_samples=4000, n_features=24, n_informative=12, n_classes=3, class_sep=1.4, random_state=3)
X = torch.from_numpy(X).float()
train_set, val_set, test_set = random_split(TensorDataset(X, torch.from_numpy(y)), [2400, 600, 1000])
loaders = {
    "train": DataLoader(train_set, batch_size=64, shuffle=True, drop_last=True),
    "val": DataLoader(val_set, batch_size=200),
    "test": DataLoader(test_set, batch_size=200),
}

model = nn.Sequential(
    nn.Linear(24, 6, bias=False),   # a bottleneck on purpose: learnt projection to six numbers
    nn.Linear(6, 64), nn.BatchNorm1d(64), nn.GELU(), nn.Dropout(0.2),
    nn.Linear(64, 3),
)
loss_fn = nn.CrossEntropyLoss(label_smoothing=0.05)
decay, no_decay = [], []
for name, p in model.named_parameters():
    (decay if p.ndim > 1 else no_decay).append(p)
opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": no_decay, "weight_decay": 0.0}], lr=4e-3)
EPOCHS = 15
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=EPOCHS * len(loaders["train"]))


def accuracy(part):
    model.eval()
    hits = count = 0
    with torch.inference_mode():
        for xb, yb in loaders[part]:
            hits += int((model(xb).argmax(-1) == yb).sum())
            count += len(yb)
    model.train()
    return hits / count


best, best_state = 0.0, None
for epoch in range(EPOCHS):
    for xb, yb in loaders["train"]:
        loss = loss_fn(model(xb), yb)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=2.0)
        opt.step()
        scheduler.step()
    acc = accuracy("val")
    if acc > best:
        best, best_state = acc, {k: v.clone() for k, v in model.state_dict().items()}
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1:2d}  lr {scheduler.get_last_lr()[0]:.5f}  val {acc:.4f}")

model.load_state_dict(best_state)
print(f"best validation accuracy {best:.4f}, test accuracy of that state {accuracy('test'):.4f}")
