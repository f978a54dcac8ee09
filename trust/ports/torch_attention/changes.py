"""torch to torch: attention by hand against the fused call."""

import numpy as np
from ported import Mistake, Pair, Variant

FUSED = "F.scaled_dot_product_attention"
SCORES = (FUSED, "scores", "out = scores")
HEADS = ("self.split", "unflatten", "y.reshape", "x.view", "x.reshape")

PAIR = Pair(
    original=lambda module: module.CrossAttention(8, 2),
    port=lambda module: module.Attention(8, 2),
    inputs=lambda rng: (rng.normal(size=(2, 3, 8)), rng.normal(size=(2, 4, 8)), np.array([[1, 1, 1, 0], [1, 1, 0, 0]])),
    variants=(
        Variant("mask of floats", "keep = mask.bool()[:, None, None, :]", "keep = torch.zeros(mask.shape, dtype=x.dtype).masked_fill(mask == 0, float('-inf'))[:, None, None, :]"),
        Variant("products by einsum", "h = F.scaled_dot_product_attention(q, k, v, attn_mask=keep)", "w = torch.einsum('bhqd,bhkd->bhqk', q, k) / q.shape[-1] ** 0.5\n        w = w.masked_fill(~keep, float('-inf')).softmax(-1)\n        h = torch.einsum('bhqk,bhkd->bhqd', w, v)"),
        Variant("queries scaled", "F.scaled_dot_product_attention(q, k, v, attn_mask=keep)", "F.scaled_dot_product_attention(q * 0.5, k, v, attn_mask=keep, scale=1.0)"),
        Variant("memory in one product", "k = self.split(self.k(memory))\n        v = self.split(self.v(memory))", "kv = F.linear(memory, torch.cat([self.k.weight, self.v.weight]), torch.cat([self.k.bias, self.v.bias]))\n        k, v = (self.split(y) for y in kv.chunk(2, -1))"),
        Variant("batched products", "h = F.scaled_dot_product_attention(q, k, v, attn_mask=keep)", "w = torch.bmm(q.flatten(0, 1), k.flatten(0, 1).mT).unflatten(0, q.shape[:2]).div(2.0)\n        w = torch.where(keep, w, -1e4).softmax(-1)\n        h = torch.matmul(w, v)"),
        Variant("scale into the matrix", "h = self.out(h)\n        return x + self.layer_scale * h", "h = F.linear(h, self.out.weight * self.layer_scale[:, None], self.out.bias * self.layer_scale)\n        return x + h"),
        Variant("norm by hand", "h = self.norm(x)", "c = x - x.mean(-1, keepdim=True)\n        h = c * torch.rsqrt(c.square().mean(-1, keepdim=True) + 1e-5) * self.norm.weight + self.norm.bias"),
    ),
    mistakes=(
        Mistake("mask inverted", "mask.bool()[:", "~mask.bool()[:", (*SCORES, "keep"), r"mask|invert"),
        Mistake("mask left out", ", attn_mask=keep", "", SCORES, r"mask|left out|leav|missing|without"),
        Mistake("causal too", "attn_mask=keep", "attn_mask=keep & torch.ones(3, 4, dtype=torch.bool).tril()", SCORES, r"mask|caus"),
        Mistake("not scaled", "attn_mask=keep)", "attn_mask=keep, scale=1.0)", SCORES, r"scale|factor|0\.5|sqrt|2"),
        Mistake("key and value swapped", "wk, wv = state", "wv, wk = state", ("self.k(", "self.v(", "self.to_kv", "F.linear"), r"swap|order|reads|operand|param|part|row"),
        Mistake("biases swapped", "bk, bv = state", "bv, bk = state", ("self.k(", "self.v(", "self.to_kv", "F.linear"), r"bias|swap|order|reads|operand|param|part"),
        Mistake("memory normalised", "k = self.split(self.k(memory))", "k = self.split(self.k(self.norm(memory)))", ("self.k(", "self.to_kv"), r"norm|reads|operand|step|extra|memory|applied"),
        Mistake("values of the queries' input", "v = self.split(self.v(memory))", "v = self.split(self.v(torch.cat([h, memory[:, :1]], 1)))", ("self.v(", "self.to_kv", "torch.cat"), r"reads|operand|memory|another"),
        Mistake("heads merged before tokens", "h.permute(0, 2, 1, 3).flatten(2)", "h.reshape(2, 3, 8)", ("h = h.", "h.reshape", "out.transpose", "self.out(h"), r"head|order|transpos|reshap|permut"),
        Mistake("heads interleaved", "x.unflatten(-1, (self.num_heads, -1)).permute(0, 2, 1, 3)", "x.unflatten(-1, (-1, self.num_heads)).permute(0, 3, 1, 2)", HEADS, r"head|order|transpos|reshap|permut|split"),
        Mistake("layer scale left out", "self.layer_scale * h", "h", ("return x", ), r"scale|factor|left out|gamma|leav|without"),
        Mistake("scale around the residual", "return x + self.layer_scale * h", "return self.layer_scale * (x + h)", ("return ",), r"scale|factor|order|gamma|reads|before|behind"),
        Mistake("residual of the norm", "h = self.out(h)\n        return x + ", "h = self.out(h)\n        return self.norm(x) + ", ("return ",), r"norm|reads|residual|operand"),
        Mistake("eps", "self.norm = nn.LayerNorm(dim)", "self.norm = nn.LayerNorm(dim, eps=1e-6)", ("self.norm(x)",), r"eps|1e-0?6"),
        Mistake("detached memory", "k = self.split(self.k(memory))", "k = self.split(self.k(memory.detach()))", ("self.k(", "self.to_kv"), r"stop|gradient|detach", kind="gradient"),
        Mistake("detached scale", "x + self.layer_scale * h", "x + self.layer_scale.detach() * h", ("return x",), r"stop|gradient|detach", kind="gradient"),
    ),
)  # fmt: skip
