"""Hostile arguments, files and command lines: whatever comes in, one short sentence comes out."""

import io
import json
import re
import zipfile
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

import cvxrelu as cr
from cvxrelu.cli.main import main
from cvxrelu.cli.tables import read_table
from cvxrelu.plots import plot_network, save_picture
from cvxrelu.problem.validation import as_generator

X = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 1.0], [0.5, 3.0]])
Y = np.array([0.0, 1.0, 2.0, -1.0])
NETWORK = cr.Network([[1.0, 1.0]], [0.0], [1.0])
LINE = cr.Problem([[0.0], [1.0]], [0.0, 1.0])


class Unreadable:
    """What a tensor does that still needs its gradient."""

    def __array__(self, *arguments, **options):
        raise RuntimeError("Can't call numpy() on a tensor that requires grad.")


def refused(call, *arguments, **options):
    """Return the one short line in which a call is refused."""
    with pytest.raises(cr.CvxReluError) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert 0 < len(message) < 900
    assert "\n" not in message
    return message


nested: list = []
nested.append(nested)
NO_NUMBER = {
    "none": None,
    "word": "x",
    "bytes": b"abc",
    "mapping": {},
    "beyond floats": 10**400,
    "beyond strings": 10**5000,
    "complex": 1j,
    "ragged": [[1], [1, 2]],
    "object": object(),
    "itself": nested,
    "tensor": Unreadable(),
    "function": len,
    "not a number": float("nan"),
}
NO_MATRIX = NO_NUMBER | {
    "sparse": csr_matrix(X),
    "masked": np.ma.masked_array(X, X == 1),
    "complex array": X + 0j,
    "words": X.astype(str),
    "objects": np.array([["a", 1]] * 4, dtype=object),
    "a hole": np.array([[None, 1]] * 4, dtype=object),
    "huge integers": np.array([[10**400, 1]] * 4, dtype=object),
    "integers between floats": np.array([[2**53 + 1, 1]] * 4),
    "unsigned": np.array([[2**64 - 1, 1]] * 4, dtype=np.uint64),
    "long floats": np.full((4, 2), np.longdouble("1e400")),
    "categories": pd.DataFrame({"a": pd.Categorical(list("uvwx")), "b": Y}),
    "missing": pd.DataFrame({"a": pd.array([1, None, 2, 3], dtype="Int64"), "b": Y}),
    "dates": np.zeros((4, 2), dtype="M8[D]"),
    "records": np.zeros((4, 2), dtype=[("a", float)]),
    "cube": np.ones((4, 2, 1)),
    "no rows": np.ones((0, 2)),
    "flat": Y,
}


@pytest.mark.parametrize("kind", NO_MATRIX)
def test_what_is_no_matrix_is_refused(kind):
    refused(cr.Problem, NO_MATRIX[kind], Y, "squared", alpha=0.1)
    refused(cr.enumerate_patterns, NO_MATRIX[kind])
    refused(cr.Network, NO_MATRIX[kind], [0.0], [1.0])
    if kind != "no rows":  # of which there are no predictions
        refused(NETWORK, NO_MATRIX[kind])
    refused(plot_network, NETWORK, NO_MATRIX[kind], Y)


CERTIFICATE = cr.solve(LINE).certificate
OUTPUTS = cr.Network([[1.0, 1.0]], [0.0], [[1.0, 2.0]], [0.0, 1.0])


@pytest.mark.parametrize("kind", [*NO_NUMBER, "flat", "cube"])
def test_what_methods_do_not_take_is_refused(kind):
    value = NO_MATRIX[kind]
    for method in (OUTPUTS.output, NETWORK.output, CERTIFICATE.of, CERTIFICATE.verify_exact):
        refused(method, value)


def test_outputs_are_counted_from_zero():
    assert OUTPUTS.output(np.int64(1)).v.tolist() == [2.0]
    for network, k in ((OUTPUTS, 2), (OUTPUTS, -1), (NETWORK, 1)):
        refused(network.output, k)


@pytest.mark.parametrize("kind", NO_NUMBER)
def test_what_is_no_parameter_is_refused(kind):
    value = NO_NUMBER[kind]
    for name in ("loss", "bias", "norm", "negative_slope", *(["alpha"] if value is not None else [])):
        refused(cr.Problem, X, Y, **({"loss": "squared", "alpha": 0.1} | {name: value}))
    for name in ("method", "tol", "solver"):
        refused(cr.solve, LINE, **{name: value})
    if value is not None:
        for name in (
            "n_jobs",
            "time_limit",
            "max_rounds",
            "warm_start",
            *([] if isinstance(value, int) else ["random_state"]),
        ):
            refused(cr.solve, LINE, **{name: value})
    refused(cr.solve, value)
    refused(cr.Network, [[1.0]], [0.0], [1.0], value)
    refused(cr.Network.load, value)
    refused(cr.load_certificate, value)
    if value is not None:
        refused(cr.ReLUClassifier(n_jobs=value, alpha=0.1).fit, X, [0, 1, 1, 0])


@pytest.mark.parametrize("n_jobs", [None, -2, -1])
def test_workers_are_counted_as_in_joblib(n_jobs):
    assert cr.solve(LINE, n_jobs=n_jobs).objective == cr.solve(LINE).objective
    x = np.linspace(-1, 1, 12)[:, None]
    models = [
        cr.ReLURegressorCV(alphas=[0.1], cv=2, n_jobs=jobs, random_state=0).fit(x, x[:, 0]) for jobs in (n_jobs, 1)
    ]
    assert models[0].network_ == models[1].network_


@pytest.mark.parametrize("seed", [-1, True, 1.5])
def test_seeds_are_integers_from_zero(seed):
    assert "random_state" in refused(cr.solve, LINE, random_state=seed)


def test_a_random_state_of_scikit_learn_seeds_a_generator():
    X, y = np.random.default_rng(0).standard_normal((2, 30, 3))
    problem = cr.Problem(X, y[:, 0], "squared", alpha=0.1)
    first, second = (cr.solve(problem, "sample", random_state=np.random.RandomState(7)).objective for _ in range(2))
    assert first == second
    drawn = np.random.RandomState(7)
    assert as_generator(drawn).random() != as_generator(drawn).random()


def test_path_names_itself_where_an_option_is_unknown():
    with pytest.raises(TypeError, match=r"path\(\) has no option 'foo'"):
        cr.path(LINE, foo=1)


def test_arrays_of_every_kind_are_the_same_numbers():
    wanted = NETWORK(X)
    frame = pd.DataFrame(X, columns=["a", "b"])
    fractions = [[Fraction(value) for value in row] for row in X]
    for same in (frame, frame.astype("Float64"), X.astype(">f8"), np.asfortranarray(X), X.astype(object), fractions):
        np.testing.assert_array_equal(NETWORK(same), wanted)
        np.testing.assert_array_equal(cr.Problem(same, Y, "squared", alpha=1.0).X, X)
    assert cr.Problem([[2**60], [2**53 + 2]], [0, 1]).X.tolist() == [[2.0**60], [2.0**53 + 2]]
    assert NETWORK(np.ma.masked_array(X)).tolist() == wanted.tolist()


def test_messages_repeat_no_hundreds_of_digits():
    for value in ("9" * 3000, "x" * 3000, "1 " * 3000):
        assert len(refused(cr.Problem, X, Y, loss=value)) < 900
    assert "1" + "0" * 30 in str(cr.InputError("1" + "0" * 30))
    assert str(cr.InputError("a path " + "/folder" * 15)).endswith("/folder")


def test_file_errors_are_what_callers_expect():
    for base in (cr.InputError, ValueError, OSError):
        assert issubclass(cr.FileError, base)


@pytest.mark.parametrize("path", ["", ".", "no/such/folder/file.npz", "nothing/there", "a\0b", "x" * 300])
def test_paths_that_cannot_be(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(cr.Network.load, path)
    refused(cr.load_certificate, path)
    refused(read_table, path)
    certificate = cr.solve(LINE).certificate
    refused(certificate.save, path)
    if path not in ("", "."):  # to which NumPy appends .npz
        refused(NETWORK.save, path)
    refused(save_picture, plot_network(NETWORK, X, Y), path)


def test_a_full_disk_is_a_sentence():
    assert "no space left" in refused(cr.solve(LINE).certificate.save, "/dev/full")


def test_a_picture_has_a_known_ending(tmp_path):
    message = refused(save_picture, plot_network(NETWORK, X, Y), tmp_path / "picture.doc")
    assert "png" in message
    assert "svg" in message


def _npz(**parts):
    file = io.BytesIO()
    NETWORK.save(file, **parts)
    return file.getvalue()


def _archive(method=None, flag=0, **entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(f"{name}.npy", content)
    content = bytearray(file.getvalue())
    if flag or method:
        start = content.find(b"PK\x01\x02")
        content[start + 8] |= flag
        content[content.find(b"PK\x03\x04") + 6] |= flag
        content[start + 10] = method or content[start + 10]
    return bytes(content)


def _array_header(description):
    text = description.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def _with(**parts):
    file = io.BytesIO()
    np.savez(file, **({"W": X, "b": Y, "v": Y, "intercept": 0.0, "negative_slope": 0.0} | parts))
    return file.getvalue()


HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 2)}"
CODE = "{'descr': __import__('os').system('false'), 'fortran_order': False, 'shape': (1, 2)}"
NO_NETWORKS = {
    "empty": b"",
    "text": b"hello",
    "pickle": b"\x80\x04N.",
    "cut": _npz()[:300],
    "damaged": _npz().replace(b"PK\x03\x04", b"PK\x03\x05", 1),
    "garbage": _archive(W=b"garbage"),
    "huge": _archive(W=_array_header(HUGE)),
    "code": _archive(W=_array_header(CODE)),
    "encrypted": _archive(flag=1, W=b"secret"),
    "unknown method": _archive(method=99, W=b"pressed"),
    "parts missing": _archive(),
    "objects": _with(W=np.array([[{}]])),
    "vector": _with(intercept=np.ones(3)),
    "complex": _with(W=X * 1j),
    "dates": _with(W=np.zeros((4, 2), dtype="M8[D]")),
    "infinite": _with(b=np.full(4, np.inf)),
}


@pytest.mark.parametrize("kind", NO_NETWORKS)
def test_files_that_are_no_networks(kind, tmp_path, capsys):
    file = tmp_path / "network.npz"
    file.write_bytes(NO_NETWORKS[kind])
    refused(cr.Network.load, file)
    assert main(["predict", str(file), str(file)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


VALUES = [
    None,
    True,
    "x",
    [],
    {},
    -1,
    10**400,
    "Infinity",
    [[1]],
    [[[1]]],
    [None],
    {"a": 1},
    [1, [2]],
    [[1], [1, 2]],
    "9" * 999,
]


def _places(record, path=()):
    """Yield the paths to all entries of a record, of lists only the first."""
    for key in record if isinstance(record, dict) else range(min(len(record), 1)):
        yield (*path, key)
        if isinstance(record[key], (dict, list)):
            yield from _places(record[key], (*path, key))


def test_damaged_certificates(tmp_path):
    file = tmp_path / "certificate.json"
    cr.solve(LINE).certificate.save(file)
    text = file.read_text()
    for place in _places(json.loads(text)):
        for value in VALUES:
            record = json.loads(text)
            entry = record
            for key in place[:-1]:
                entry = entry[key]
            entry[place[-1]] = value
            file.write_text(json.dumps(record))
            with suppress(cr.InputError):
                cr.load_certificate(file, time_limit=1.0)


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b'{"a":' * 100_000, b"", b"3", b'"x"', b"\xff\xfe\x00", b'{"format": ' + b"9" * 5000 + b"}"],
)
def test_files_that_are_no_certificates(content, tmp_path):
    file = tmp_path / "certificate.json"
    file.write_bytes(content)
    refused(cr.load_certificate, file)


TABLES = {
    "commas": b"a,y\n1,2\n2,3\n",
    "tabs": b"a\ty\n1\t2\n2\t3\n",
    "semicolons": b"a;y\n1;2\n2;3\n",
    "spaces and blank lines": b"  a , y \n\n 1 , 2\n 2, 3\n\n",
    "a mark": b"\xef\xbb\xbfa,y\n1,2\n2,3\n",
    "UTF-16": "a\ty\n1\t2\n2\t3\n".encode("utf-16"),
    "quotes": b'"a","y"\r\n"1","2"\r\n2,3\r\n',
    "carriage returns": b"a,y\r1,2\r2,3\r",
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_are_read_however_they_are_written(kind, tmp_path):
    file = tmp_path / "table"
    file.write_bytes(TABLES[kind])
    assert read_table(file).numbers(["a", "y"]).tolist() == [[1.0, 2.0], [2.0, 3.0]]


NO_TABLES = {
    "": "holds no data",
    "a,y\n": "holds no data",
    "a,y\n1,2\n,3\n": "Column 'a' of .* has no value in line 3",
    "a,y\n1,nan\n2,3\n": "Column 'y' of .* has no value in line 2",
    "a,y\nNA,1\n2,3\n\n?,1\n": "no value in lines 2, 5",
    "a,y\n1,1e400\n2,3\n": "holds '1e400', which is no finite number, in line 2",
    "a;y\n1,5;2\n2;3\n": "holds '1,5', which is no finite number, in line 2; write decimals with a point",
    "a,y\n1_0,2\n2,3\n": "holds '1_0'",
    "a,y\n0x10,2\n2,3\n": "holds '0x10'",
    "a,y\nred,2\nblue,3\n": "holds 'red', which is no finite number, in lines 2, 3; .* or leave the column out",
    "a,y\n1\n2,3\n": "Line 2 of .* has 1 cells, but the header has 2",
    "a,a,y\n1,2,3\n": "has 2 columns 'a'; give them different names",
    "a,y,y\n1,2,3\n": "has 2 columns 'y'",
    ",y\n1,2\n": "Column 1 of .* has no name",
    "y\n1\n2\n": "at least one column",
    "a,y\n\u00e9,1\n": "is not text in UTF-8 .byte 5.; save it as UTF-8",
    "a,y\n" + "9" * 200_000 + ",1\n": "cannot be read as a table",
    "a,y\n" + "9" * 5000 + ",1\n": "no finite number",
}


@pytest.mark.parametrize("content", NO_TABLES, ids=lambda content: repr(content[:20]))
def test_files_that_are_no_tables(content, tmp_path, capsys):
    file = tmp_path / "data.csv"
    file.write_bytes(content.encode("latin-1"))
    assert main(["fit", str(file), "--target", "y", "--alpha", "0.1"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert len(err) < 900
    assert re.search(NO_TABLES[content], err)


@pytest.mark.parametrize(
    "options",
    [
        ["--alpha", "-1"],
        ["--alpha", "nan"],
        ["--negative-slope", "1"],
        ["--tol", "0"],
        ["--time-limit", "-1"],
        ["--random-state", "-1"],
        ["--solver", "nobody"],
        ["--features", "zz"],
        ["--features", "a", "a"],
        ["--output", "/no/such/folder/net.npz"],
        ["--output", ""],
        ["--plot", "picture.doc"],
        ["--plot", "/no/such/folder/fit.png"],
    ],
)
def test_command_lines_are_refused_before_work_starts(options, tmp_path, capsys):
    file = tmp_path / "data.csv"
    file.write_text("a,y\n1,2\n2,3\n")
    assert main(["fit", str(file), "--target", "y", *options]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert not printed.out
    assert "=" not in printed.err  # options are named as they are typed


def test_what_nobody_thought_of_is_a_line_too(tmp_path, capsys, monkeypatch):
    def fail(file):
        raise ArithmeticError("two\nlines")

    monkeypatch.setattr("cvxrelu.cli.fit.read_table", fail)
    assert main(["fit", "data.csv", "--target", "y"]) == 2
    assert capsys.readouterr().err.startswith("cvxrelu: ArithmeticError: two lines; this is a mistake of cvxrelu")


def test_an_open_file_is_no_path_and_stays_open(tmp_path):
    with open(tmp_path / "some.txt", "w+b") as file:
        assert "is no path" in refused(cr.Network.load, file.fileno())
        assert "is no path" in refused(NETWORK.save, file.fileno())
        file.write(b"still open")


@pytest.mark.parametrize("function", [cr.solve, cr.path, cr.alpha_max, cr.optimal_set, cr.max_margin])
@pytest.mark.parametrize("kind", NO_NUMBER)
def test_what_is_no_problem_fit_or_certificate_is_refused(function, kind):
    assert "must be a cvxrelu." in refused(function, NO_NUMBER[kind])
    assert "must be a cvxrelu." in refused(cr.certify, NETWORK, NO_NUMBER[kind])


@pytest.mark.parametrize("kind", [kind for kind in NO_NUMBER if kind != "none"])
def test_what_is_no_time_limit_or_flag_is_refused(kind):
    strange = NO_NUMBER[kind]
    for function in (cr.solve, cr.path, cr.alpha_max):
        assert "time_limit" in refused(function, cr.Problem(X, Y, "squared", alpha=0.1), time_limit=strange)
    assert refused(cr.load_certificate, "certificate.json", time_limit=strange).startswith("time_limit")
    for flag in ("progress", "prove"):
        assert flag in refused(cr.solve, LINE, **{flag: strange})
