"""The losses of proximal policy optimisation."""

import torch
from torch import nn
from torch.nn import functional as F


class ActorCritic(nn.Module):
    def __init__(self, observations, hidden, actions):
        super().__init__()
        self.body = nn.Linear(observations, hidden)
        self.policy = nn.Linear(hidden, actions)
        self.value = nn.Linear(hidden, 1)

    def forward(self, obs, actions, old_log_prob, advantages, returns, next_obs, rewards):
        h = torch.tanh(self.body(obs))
        log_probs = F.log_softmax(self.policy(h), dim=-1)
        value = self.value(h).squeeze(-1)
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        log_prob = log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        ratio = torch.exp(log_prob - old_log_prob)
        unclipped = ratio * advantages
        clipped = torch.clamp(ratio, 1 - 0.2, 1 + 0.2) * advantages
        policy_loss = -torch.min(unclipped, clipped).mean()
        entropy = -(log_probs.exp() * log_probs).sum(dim=-1).mean()
        with torch.no_grad():
            target = rewards + 0.99 * self.value(torch.tanh(self.body(next_obs))).squeeze(-1)
        value_loss = 0.5 * (value - returns).pow(2).mean()
        td_loss = F.smooth_l1_loss(value, target)
        return policy_loss + 0.5 * value_loss + td_loss - 0.01 * entropy
