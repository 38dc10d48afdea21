#!/usr/bin/env python3
"""Scores the bundled checkpoint with lm-evaluation-harness, for the tests of `quern eval --task`.

Needs lm_eval with its hf backend (pip install "lm_eval[hf]" datasets sentencepiece protobuf); the tests themselves do not. The prompts are those of
the installed package's own task files; only the data sets are replaced by questions of this project. Writes Tests/Fixtures/tasks: the
questions in the columns of the published data sets, and golden.json with accuracies, standard errors and the log-likelihood of every choice.

usage: Tools/make_task_golden.py [FOLDER]
"""
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import lm_eval  # noqa: E402
import lm_eval.tasks  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
import yaml  # noqa: E402
from lm_eval.api.metrics import pooled_sample_stderr  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from make_task_questions import data_sets  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "Tests/Fixtures/tasks"
PACKAGE = pathlib.Path(lm_eval.__file__).parent / "tasks"
USMLE = '''
def doc_to_text(doc):
    options = "".join(f"{letter}. {text}\\n" for letter, text in doc["options"].items() if text is not None)
    return f"Question: {doc['question']}\\n{options}Answer:"
def doc_to_choice(doc):
    return [letter for letter, text in doc["options"].items() if text is not None]
def doc_to_target(doc):
    return "ABCDEFG".index(doc["answer_idx"])
'''


class Loader(yaml.SafeLoader):
    """Keeps what !function names."""


class Function(str):
    pass


Loader.add_constructor("!function", lambda loader, node: Function(node.value))
yaml.SafeDumper.add_representer(Function, lambda dumper, value: dumper.represent_scalar("!function", str(value)))


def definition(*files):
    merged = {}
    for file in files:
        merged.update(yaml.load((PACKAGE / file).read_text(), Loader))
    return merged


def write_task(folder, name, fields, scored, examples):
    """The package's task over our data: examples come from `train`, the first ones first."""
    for key in ("include", "tag", "group", "training_split", "validation_split", "fewshot_split", "should_decontaminate", "doc_to_decontamination_query"):
        fields.pop(key, None)
    paths = {}
    for split, rows in (("test", scored), ("train", examples)):
        paths[split] = str(folder / f"{name}-{split}.jsonl")
        write_lines(pathlib.Path(paths[split]), rows)
    fields |= {
        "task": name, "dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": paths}, "test_split": "test", "fewshot_split": "train",
        "fewshot_config": {"sampler": "first_n"}}
    (folder / f"{name}.yaml").write_text(yaml.dump(fields, Dumper=yaml.SafeDumper))


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def make_tasks(folder):
    """Names of the tasks by ours."""
    sets = data_sets()
    for file in ("medqa/preprocess_medqa.py", "medmcqa/utils_medmcqa.py", "pubmedqa/preprocess_pubmedqa.py"):
        shutil.copy(PACKAGE / file, folder)
    (folder / "usmle_free.py").write_text(USMLE)
    names = {}
    for name, (scored, examples) in sets.items():
        if name == "mmlu":
            for subject in ("anatomy", "college_biology"):
                task = f"own_mmlu_{subject}"
                write_task(folder, task, definition("mmlu/default/_default_template_yaml", f"mmlu/default/mmlu_{subject}.yaml"),
                           [row for row in scored if row["subject"] == subject], [row for row in examples if row["subject"] == subject])
                names[f"mmlu_{subject}"] = task
            continue
        if name == "usmle":
            fields = {"output_type": "multiple_choice", "doc_to_text": Function("usmle_free.doc_to_text"), "doc_to_choice": Function("usmle_free.doc_to_choice"),
                      "doc_to_target": Function("usmle_free.doc_to_target"), "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]}
        elif name.startswith("headqa"):
            fields = definition("headqa/headqa_en.yaml")
        else:
            fields = definition({"medqa_4options": "medqa/medqa.yaml", "medmcqa": "medmcqa/medmcqa.yaml", "pubmedqa": "pubmedqa/pubmedqa.yaml"}[name])
        write_task(folder, f"own_{name}", fields, scored, examples)
        names[name] = f"own_{name}"
    return names


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (scored, examples) in data_sets().items():
        write_lines(FOLDER / f"{name}.jsonl", scored)
        write_lines(FOLDER / f"{name}-examples.jsonl", examples)
    torch.manual_seed(0)
    model = HFLM(pretrained=str(ROOT / "Tests/Fixtures/tiny-docs"), dtype="float32", device="cpu", batch_size=1)
    runs = []
    with tempfile.TemporaryDirectory() as temporary:
        names = make_tasks(pathlib.Path(temporary))
        manager = lm_eval.tasks.TaskManager(include_path=temporary, include_defaults=False)
        for shots in (0, 1, 2):
            # Only as many examples as the smallest set has.
            tasks = [(ours, task) for ours, task in names.items() if shots <= len(data_sets()[ours.split("_")[0] if ours.startswith("mmlu") else ours][1])]
            found = lm_eval.simple_evaluate(model=model, tasks=[task for _, task in tasks], num_fewshot=shots, task_manager=manager, log_samples=True, bootstrap_iters=100)
            for ours, task in tasks:
                runs.append(run_of(ours, shots, found["results"][task], found["samples"][task], model))
            subjects = [run for run in runs if run["task"].startswith("mmlu_") and run["fewshot"] == shots]
            sizes = [len(run["questions"]) for run in subjects]
            runs.append({
                "task": "mmlu", "fewshot": shots, "acc": sum(run["acc"] * size for run, size in zip(subjects, sizes)) / sum(sizes),
                "acc_stderr": float(pooled_sample_stderr([run["acc_stderr"] for run in subjects], sizes)), "questions": []})
    golden = {"lm_eval": lm_eval.__version__, "transformers": transformers.__version__, "torch": torch.__version__, "runs": runs}
    (FOLDER / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{FOLDER}/golden.json: {len(runs)} runs, {sum(len(run['questions']) for run in runs)} questions")


def run_of(name, shots, result, samples, model):
    run = {"task": name, "fewshot": shots, "acc": result["acc,none"], "acc_stderr": result["acc_stderr,none"]}
    if "acc_norm,none" in result:
        run |= {"acc_norm": result["acc_norm,none"], "acc_norm_stderr": result["acc_norm_stderr,none"]}
    run["prompt"] = samples[0]["arguments"][0][0]
    run["questions"] = []
    for sample in samples:
        pairs = [tuple(part[:2]) for part in sample["arguments"]]
        encoded = [model._encode_pair(*pair) for pair in pairs]
        run["questions"].append({
            "prompt_sha256": hashlib.sha256(pairs[0][0].encode()).hexdigest(), "context_tokens": len(encoded[0][0]),
            "continuations": [continuation for _, continuation in encoded],
            "log_likelihoods": [round(float(response[0][0]), 7) for response in sample["resps"]],
            "acc": sample["acc"], **({"acc_norm": sample["acc_norm"]} if "acc_norm" in sample else {})})
    return run


main()
