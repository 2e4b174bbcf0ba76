import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(8)
images, labels = load_digits(return_X_y=True)
parts = train_test_split(images / 16, labels, test_size=400, random_state=8, stratify=labels)
X_train, X_test = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
y_train, y_test = (torch.tensor(part) for part in parts[2:])

model = nn.Sequential(
    nn.Linear(64, 32),
    nn.ReLU(),
    nn.Linear(32, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

for epoch in range(15):
    order = torch.randperm(len(X_train))
    running = 0.0
    for i in range(0, len(order), 25):
        batch = order[i : i + 25]
        optimizer.zero_grad()
        loss = criterion(model(X_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(batch)
    print(epoch + 1, "loss", round(running / len(order), 4))

with torch.no_grad():
    accuracy = (model(X_test).argmax(dim=1) == y_test).float().mean()
print("test accuracy", round(accuracy.item(), 4))
