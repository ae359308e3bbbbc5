"""Tiny checkpoints of the architectures that helplines fine-tune, saved in directories as real ones are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from callbus.consumer import Model

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789'-.,?![]_"
WINDOW = 32  # tokens, as `max_position_embeddings`: short, so that windows are many


def its(folder: Path, card: Path | None = None, name: str = "tiny") -> Model:
    """A model of topology.yaml that is this directory."""
    return Model(name, "transformers", str(folder), "1", ("en",), card)


def carded(path: Path, card: Mapping[str, Any]) -> Path:
    """A card in a file."""
    path.write_text(yaml.safe_dump(dict(card), sort_keys=False), encoding="utf-8")
    return path


def made_tokenizer(folder: Path, words: Sequence[str]) -> Any:
    """DistilBERT's: lower case, WordPiece; every other word falls into its letters."""
    from transformers import DistilBertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    pieces = [*SPECIAL, *words, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = list(dict.fromkeys(pieces))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = DistilBertTokenizerFast(
        {piece: at for at, piece in enumerate(vocabulary)}, do_lower_case=True, model_max_length=WINDOW
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def distilbert_config(tokenizer: Any, **changes: Any) -> Any:
    """One layer, 32 wide."""
    from transformers import DistilBertConfig

    sizes = {"dim": 32, "hidden_dim": 64, "n_layers": 1, "n_heads": 2, "max_position_embeddings": WINDOW}
    return DistilBertConfig(vocab_size=len(tokenizer), pad_token_id=0, **sizes | {"dropout": 0.0} | changes)


def made_heads(folder: Path, words: Sequence[str], heads: Mapping[str, int], *, prefix: str, hidden: str = "") -> Any:
    """A DistilBERT with linear heads, saved as a fine-tuning script leaves it; returns the network itself.

    `heads` are the outputs by the layer's name, `prefix` is what the encoder is called, `hidden` a layer between.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import DistilBertModel

    torch.manual_seed(3)
    tokenizer = made_tokenizer(folder, words)
    config = distilbert_config(tokenizer)
    config.save_pretrained(folder)
    network = torch.nn.ModuleDict({prefix: DistilBertModel(config)})
    if hidden:
        network[hidden] = torch.nn.Linear(config.dim, config.dim)
    group, _, _ = next(iter(heads)).rpartition(".")
    layers = {name.rpartition(".")[2]: torch.nn.Linear(config.dim, size) for name, size in heads.items()}
    for layer in layers.values():
        torch.nn.init.normal_(layer.weight)
    if group:
        network[group] = torch.nn.ModuleDict(layers)
    else:
        network.update(layers)
    save_file(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "model.safetensors"
    )
    return network.eval()


def made_tagger(folder: Path, labels: Mapping[str, str], others: Sequence[str], names: Sequence[str]) -> None:
    """A DistilBERT token classification that has learnt by heart which label each word has; `others` have none.

    `names` are its labels in order. As is usual, only a word's first token is trained.
    """
    import torch
    from transformers import DistilBertForTokenClassification

    torch.manual_seed(5)
    tokenizer = made_tokenizer(folder, others)
    config = distilbert_config(
        tokenizer, id2label=dict(enumerate(names)), label2id={name: at for at, name in enumerate(names)}
    )
    model = DistilBertForTokenClassification(config)
    random = torch.Generator().manual_seed(5)
    known = [*labels, *others]
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(250):
        batch = [[known[at] for at in torch.randint(len(known), (3,), generator=random)] for _ in range(16)]
        inputs = tokenizer(batch, is_split_into_words=True, padding=True, truncation=True, return_tensors="pt")
        wanted = torch.full_like(inputs["input_ids"], -100)
        for row, sentence in enumerate(batch):
            seen: set[int] = set()
            for column, word in enumerate(inputs.word_ids(row)):
                if word is not None and word not in seen:
                    seen.add(word)
                    wanted[row, column] = names.index(labels.get(sentence[word], "O"))
        optimizer.zero_grad()
        model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], labels=wanted).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)


def made_summarizer(folder: Path, prompt: str, written: Mapping[str, str]) -> None:
    """A T5 that has learnt by heart what to write about each of these texts."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration, T5TokenizerFast

    torch.manual_seed(11)
    words = dict.fromkeys(word for pair in written.items() for text in (prompt, *pair) for word in text.split())
    letters = dict.fromkeys([*LETTERS, *LETTERS.upper(), ":", "\u2581"])
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(f"\u2581{word}", -2.0) for word in words] + [(letter, -9.0) for letter in letters]
    tokenizer = T5TokenizerFast(pieces, extra_ids=0)
    tokenizer.save_pretrained(folder)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=64,
        d_kv=16,
        d_ff=128,
        num_layers=1,
        num_heads=4,
        dropout_rate=0.0,
        decoder_start_token_id=tokenizer.pad_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = T5ForConditionalGeneration(config)
    inputs = tokenizer([prompt + text for text in written], padding=True, return_tensors="pt")
    wanted = tokenizer(list(written.values()), padding=True, return_tensors="pt")["input_ids"]
    wanted[wanted == tokenizer.pad_token_id] = -100
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for _ in range(400):
        optimizer.zero_grad()
        loss = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], labels=wanted).loss
        if float(loss.detach()) < 0.005:
            break
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
