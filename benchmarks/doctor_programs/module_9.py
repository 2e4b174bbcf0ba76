import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(5)
digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(digits.images / 16.0, digits.target, test_size=0.25, random_state=5)
train_data = TensorDataset(torch.Tensor(x_train), torch.LongTensor(y_train))
test_data = TensorDataset(torch.Tensor(x_test), torch.LongTensor(y_test))


class RNN(nn.Module):
    def __init__(self, input_size=8, hidden_size=64, num_classes=10):
        super(RNN, self).__init__()
        self.lstm = nn.LSTM(input_size, hidden_size)
        self.fc = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        # x: (batch, 8 rows, 8 pixels)
        out, _ = self.lstm(x)
        out = self.fc(out[:, -1, :])
        return out


rnn = RNN()
loss_func = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(rnn.parameters(), lr=0.005)
train_loader = DataLoader(train_data, batch_size=64, shuffle=True)
test_loader = DataLoader(test_data, batch_size=64, shuffle=False)

for epoch in range(8):
    for b_x, b_y in train_loader:
        output = rnn(b_x)
        loss = loss_func(output, b_y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        correct = sum((rnn(b_x).argmax(1) == b_y).sum().item() for b_x, b_y in test_loader)
    print('Epoch:', epoch, '| test accuracy: %.3f' % (correct / len(test_data)))
