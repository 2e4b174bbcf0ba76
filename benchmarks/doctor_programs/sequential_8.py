import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.metrics import accuracy_score, classification_report

torch.manual_seed(3)

df_x, df_y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(df_x / 16, df_y, test_size=357, random_state=42, stratify=df_y)
x_train = torch.from_numpy(x_train).float()
x_test = torch.from_numpy(x_test).float()
y_train = torch.from_numpy(y_train).long()

model = nn.Sequential(
    nn.Linear(64, 32),
    nn.ReLU(),
    nn.Linear(32, 10),
)
criterion = nn.NLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

epochs = 20
for e in range(epochs):
    running_loss = 0
    batches = torch.randperm(len(x_train)).split(60)
    for idx in batches:
        optimizer.zero_grad()
        output = model(x_train[idx])
        loss = criterion(output, y_train[idx])
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    if e % 4 == 0:
        print(f"Epoch {e} - Training loss: {running_loss / len(batches)}")

y_pred = model(x_test).argmax(dim=1).numpy()
print("Accuracy:", accuracy_score(y_test, y_pred))
print(classification_report(y_test, y_pred, zero_division=0))
