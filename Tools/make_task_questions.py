"""Questions written for the tests of task scores, in the columns of the published data sets.

The questions are the project's own. The bundled model knows no medicine, so their answers are there to be scored, not to be right.
Used by make_task_golden.py.
"""

# (subject, question, options, answer)
QUESTIONS = [
    ("anatomy", "Which bone of the arm lies on the side of the thumb?", ["Ulna", "Radius", "Humerus", "Clavicle"], 1),
    ("anatomy", "  How many chambers does the human heart have?  ", ["Two", "Three", "Four", "Five"], 2),
    ("anatomy", "The nerve that moves the diaphragm is the", ["vagus nerve", "phrenic nerve", "median nerve", "facial nerve"], 1),
    ("anatomy", "Which of these is a part of the small intestine?", ["Caecum", "Jejunum", "Sigmoid colon", "Rectum"], 1),
    ("anatomy", "The thin tissue around the lungs is called the", ["pleura", "meninx", "peritoneum", "periosteum"], 0),
    ("college_biology", "A cell that is put into pure water takes up water by", ["osmosis", "mitosis", "fermentation", "translation"], 0),
    ("college_biology", "Where does a eukaryotic cell keep most of its DNA?", ["In the nucleus", "In the ribosome", "In the membrane", "In the vacuole"], 0),
    ("college_biology", "Which molecule carries an amino acid to the ribosome?", ["mRNA", "tRNA", "rRNA", "ATP"], 1),
    ("college_biology", "Two heterozygous parents, one gene, one dominant allele:\nwhat share of the children shows the recessive trait?",
     ["1/4", "1/2", "3/4", "none"], 0),
    ("clinical", "A patient of 54 years has a body temperature of 39.2 °C and a stiff neck. What is to be ruled out first?",
     ["Meningitis", "Gout", "Migraine", "Scabies"], 0),
    ("clinical", "Serum potassium is 6.8 mmol/L and the ECG shows tall T waves. Which drug protects the heart at once?",
     ["Calcium gluconate", "Furosemide", "Ibuprofen", "Metformin"], 0),
    ("clinical", "Blood pressure is 150/95 mmHg in three visits; creatinine is 80 µmol/L. The finding is called",
     ["hypotension", "hypertension", "anaemia", "uraemia"], 1),
]
# Two to seven options, as the free form has them
FREE_FORM = [
    ("A \"quoted\" value, with a comma, in the question: which unit is a rate?", ["mg", "mg/h"], 1),
    ("Which of these is no vital sign?", ["Pulse", "Temperature", "Blood pressure", "Shoe size", "Breathing rate"], 3),
    ("What does a thermometer measure?", ["Mass", "Length", "Time", "Temperature", "Charge", "Force", "Pressure"], 3),
    ("Which day comes after Monday?", ["Sunday", "Tuesday", "Friday"], 1),
    ("Which organ makes insulin?", ["Liver", "Spleen", "Kidney", "Lung", "Pancreas", "Skin"], 4),
]
# (contexts, question, decision)
ABSTRACTS = [
    (["We looked at the sleep of forty nurses.", "Those who worked at night slept one hour less."], "Does night work shorten sleep?", "yes"),
    (["Two groups of runners drank water or tea.", "Their times did not differ."], "Does tea make runners faster?", "no"),
    (["Ten wards changed the type of gloves.", "The counts went up in five wards and down in five."], "Do the new gloves lower infections?", "maybe"),
    # Longer than the model's window, so its beginning is cut.
    ([f"In ward {number} the default value of the pump was set to {number * 7 % 50} and was read again after {number * 11 % 60} minutes."
      for number in range(1, 71)], "Did the pumps keep their value?", "yes"),
    (["A file was read twice."], "Was it the same file?", "maybe"),
]
# Answers of several words: (question, answers, right one counted from 1)
HEAD = [
    ("To measure the volume of a liquid one uses:", ["A graduated cylinder.", "A ruler.", "A clock.", "A thermometer.", "A balance."], 1),
    ("If the file does not exist, the function:", ["returns an error.", "returns the number of bytes.", "has no effect at all.", "is called again"], 1),
    ("Mark the false statement about the default value:", ["It is the same value.", "It is the same as the first value.", "It is not set.", "None"], 4),
    ("The option that is given last:", ["wins", "is ignored, and the one given first is used instead of it", "is an error", "does nothing"], 1),
    ("How often is the list read?", ["Once", "Once for each line", "Twice", "Never"], 2),
]
HEAD_SPANISH = [
    ("¿Qué órgano bombea la sangre?", ["El corazón.", "El hígado.", "El pulmón.", "El riñón."], 1),
    ("La señal de una célula es:", ["eléctrica", "química", "ambas cosas", "ninguna", "otra"], 3),
    ("¿Cuántos días tiene una semana?", ["Siete", "Seis", "Cinco", "Ocho"], 1),
]


def mmlu(rows):
    return [{"question": q, "subject": s, "choices": o, "answer": a} for s, q, o, a in rows]


def medqa(rows):
    return [{"id": f"own-{n:05}", "sent1": q.strip(), "sent2": "", **{f"ending{i}": t for i, t in enumerate(o)}, "label": a}
            for n, (_, q, o, a) in enumerate(rows)]


def medmcqa(rows):
    return [{"id": f"own-{n}", "question": q.strip(), **{f"op{c}": t for c, t in zip("abcd", o)}, "cop": a, "choice_type": "single", "exp": None}
            for n, (_, q, o, a) in enumerate(rows)]


def headqa(rows):
    return [{"name": "own", "year": "2026", "category": "test", "qid": n + 1, "qtext": q, "ra": a,
             "answers": [{"aid": i + 1, "atext": t} for i, t in enumerate(o)]} for n, (q, o, a) in enumerate(rows)]


def pubmedqa(rows):
    return [{"QUESTION": q, "CONTEXTS": c, "final_decision": d} for c, q, d in rows]


def usmle(rows):
    letters = "ABCDEFG"
    return [{"no": n + 1, "question": q, "options": dict(zip(letters, o)), "answer": o[a], "answer_idx": letters[a]} for n, (q, o, a) in enumerate(rows)]


def split(rows, count):
    """The last `count` rows are examples, the others are scored."""
    return rows[:-count], rows[-count:]


def data_sets():
    """name -> (scored rows, example rows)"""
    anatomy = [row for row in QUESTIONS if row[0] == "anatomy"]
    biology = [row for row in QUESTIONS if row[0] == "college_biology"]
    clinical = QUESTIONS[9:] + QUESTIONS[3:9]
    anatomy, biology = split(anatomy, 2), split(biology, 2)
    return {
        "mmlu": (mmlu(anatomy[0] + biology[0]), mmlu(anatomy[1] + biology[1])),
        "medqa_4options": tuple(medqa(rows) for rows in split(clinical, 3)),
        "medmcqa": tuple(medmcqa(rows) for rows in split(clinical[::-1], 3)),
        "headqa_en": tuple(headqa(rows) for rows in split(HEAD, 2)),
        "headqa_es": tuple(headqa(rows) for rows in split(HEAD_SPANISH, 1)),
        "pubmedqa": tuple(pubmedqa(rows) for rows in split(ABSTRACTS, 1)),
        "usmle": tuple(usmle(rows) for rows in split(FREE_FORM, 1)),
    }
