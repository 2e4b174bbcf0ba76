import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(7)
pixels, digit = load_digits(return_X_y=True)
order = torch.randperm(len(digit))
pixels = torch.tensor(pixels, dtype=torch.float32)[order] / 16
digit = torch.tensor(digit)[order]
train_pixels, train_digit = pixels[:1300], digit[:1300]
test_pixels, test_digit = pixels[1300:], digit[1300:]

model = nn.Sequential(nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10))
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)

for epoch in range(40):
    for rows in torch.randperm(1300).split(50):
        output = model(train_pixels[rows])
        loss = loss_function(output, train_digit[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

with torch.no_grad():
    guess = model(test_pixels).argmax(dim=1)
print(f"right: {(guess == test_digit).float().mean():.4f}")
