import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(1)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# every image is a sequence of 8 rows with 8 numbers each
sequence_length = 8
input_size = 8
hidden_size = 48
num_classes = 10

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    torch.tensor(digits.images / 16, dtype=torch.float32), torch.tensor(digits.target), test_size=0.2, random_state=1)
train_loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X_train, y_train), batch_size=50, shuffle=True)
test_loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X_test, y_test), batch_size=50)


class RowLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, num_classes)

    def forward(self, images):
        steps = images.permute(1, 0, 2)          # (time, batch, features), as nn.LSTM wants it
        _, (h_n, _) = self.lstm(steps)
        return self.head(h_n[-1])


model = RowLSTM().to(device)
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.01)

for epoch in range(10):
    model.train()
    running_loss = 0.0
    for images, labels in train_loader:
        images, labels = images.to(device), labels.to(device)
        outputs = model(images)
        loss = criterion(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        running_loss += loss.item() * len(labels)
    print(f"Epoch [{epoch + 1}/10], Loss: {running_loss / len(X_train):.4f}")

model.eval()
correct = total = 0
with torch.no_grad():
    for images, labels in test_loader:
        _, predicted = torch.max(model(images.to(device)), 1)
        total += labels.size(0)
        correct += (predicted == labels.to(device)).sum().item()
print(f"Accuracy on the test images: {100 * correct / total:.2f} %")
