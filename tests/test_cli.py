"""The command line, as a user types it."""

import csv
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.analysis.alpha_max import default_alpha
from cvxrelu.cli import fit
from cvxrelu.cli.main import main
from cvxrelu.cli.tables import read_table
from cvxrelu.plots import pictures
from cvxrelu.solving.fit import solve_as


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "data.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "y", "kind"])
        for a, b in rng.standard_normal((20, 2)):
            writer.writerow([a, b, abs(a) + b, "big" if abs(a) > 0.5 else "small"])
    return path


def test_fit_and_predict(data, tmp_path, capsys):
    net, plot, predictions = tmp_path / "net.npz", tmp_path / "fit.png", tmp_path / "out.csv"
    command = ["fit", str(data), "--target", "y", "--features", "a", "b", "--alpha", "0.001"]
    assert main([*command, "--output", str(net), "--plot", str(plot)]) == 0
    out = capsys.readouterr().out
    assert "relative gap" in out
    assert "globally optimal" in out
    assert plot.read_bytes().startswith(b"\x89PNG")

    assert main(["predict", str(net), str(data), "--output", str(predictions)]) == 0
    rows = rows_of(predictions)
    network = cr.Network.load(net)
    table = rows_of(data)
    X = [[float(row["a"]), float(row["b"])] for row in table]
    np.testing.assert_allclose([float(row["prediction"]) for row in rows], network(X), rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "scaled"),
    [
        ([], True),
        (["--scale", "no"], False),
        (["--alpha", "0.01"], False),
        (["--alpha", "0.01", "--scale", "yes"], True),
        (["--loss", "interpolation"], False),
    ],
)
def test_inputs_in_unlike_units(data, tmp_path, capsys, monkeypatch, options, scaled):
    """Where alpha is left out, units make no difference, as for the estimators; the network takes them as they are."""
    rows, net = rows_of(data), tmp_path / "net.npz"
    X, y = np.array([[float(row["a"]), 1000 * float(row["b"])] for row in rows]), [float(row["y"]) for row in rows]
    table, plot = tmp_path / "units.csv", tmp_path / "fit.png"
    np.savetxt(table, np.column_stack([X, y]), "%.17g", ",", header="a,b,y", comments="")
    drawn, draw = [], pictures.plot_network
    monkeypatch.setattr(pictures, "plot_network", lambda *parts: drawn.append(parts) or draw(*parts))
    assert main(["fit", str(table), "--target", "y", "--output", str(net), "--plot", str(plot), *options]) == 0
    out = capsys.readouterr().out
    assert ("standard deviations" in out) == scaled
    objective = float(re.search(r"objective +(\S+)", out)[1])
    units = X.std(axis=0) if scaled else 1.0
    problem = cr.Problem(X / units, y, loss="squared", alpha=0.01)
    if "--loss" in options:
        problem = cr.Problem(X / units, y)
    elif "--alpha" not in options:
        problem = replace(problem, alpha=default_alpha(problem))
    assert objective == pytest.approx(cr.solve(problem).objective, rel=1e-5)
    network = cr.Network.load(net)
    same = cr.Network(network.W * units, network.b, network.v, network.intercept)
    assert problem.objective(same) == pytest.approx(objective, rel=1e-6)
    ((shown, places, heights),) = drawn
    assert shown == network
    np.testing.assert_allclose(places, X, rtol=1e-12)
    np.testing.assert_array_equal(heights, y)


def test_the_time_limit_is_for_the_strength_too(data, monkeypatch):
    searched, solved = [], []

    def search(problem, clock):
        searched.append(clock.left)
        return 0.01

    monkeypatch.setattr(fit, "default_alpha", search)
    monkeypatch.setattr(fit, "solve_as", lambda *parts: solved.append(parts[-1].left) or solve_as(*parts))
    assert main(["fit", str(data), "--target", "y", "--features", "a", "--time-limit", "60"]) == 0
    assert 0 < searched[0] < 20 < solved[0] < 60


def test_classes_are_named(data, tmp_path, capsys):
    net = tmp_path / "net.npz"
    command = ["fit", str(data), "--target", "kind", "--features", "a", "b", "--loss", "margin", "--output", str(net)]
    assert main(command) == 0
    capsys.readouterr()
    assert main(["predict", str(net), str(data)]) == 0
    predicted = [row["prediction"] for row in csv.DictReader(capsys.readouterr().out.splitlines())]
    assert predicted == [row["kind"] for row in rows_of(data)]


def test_weights_are_copies(data, tmp_path, capsys):
    rows = rows_of(data)
    weighted, copies = tmp_path / "weighted.csv", tmp_path / "copies.csv"
    for file, extra in ((weighted, "w"), (copies, None)):
        with open(file, "w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["a", "b", "y"] + ([extra] if extra else []))
            for k, row in enumerate(rows):
                entries = [row["a"], row["b"], row["y"]]
                writer.writerows([[*entries, k % 3]] if extra else [entries] * (k % 3))
    found = []
    for file, options in ((weighted, ["--sample-weight", "w"]), (copies, [])):
        command = ["fit", str(file), "--target", "y", "--loss", "quantile", "--loss-parameters", "q=0.8"]
        assert main([*command, "--alpha", "0.01", "--bias", "joint", *options]) == 0
        found.append(float(re.search(r"objective +(\S+)", capsys.readouterr().out)[1]))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_norms_and_parameters_are_chosen(data, capsys):
    command = ["fit", str(data), "--target", "y", "--features", "a", "--alpha", "0.1"]
    assert main([*command, "--norm", "response", "--loss", "huber", "--loss-parameters", "delta=0.3"]) == 0
    problem = cr.Problem([[float(row["a"])] for row in rows_of(data)], [float(row["y"]) for row in rows_of(data)],
                         loss=cr.Huber(0.3), alpha=0.1, norm="response")  # fmt: skip
    objective = float(re.search(r"objective +(\S+)", capsys.readouterr().out)[1])
    assert objective == pytest.approx(cr.solve(problem).objective, rel=1e-5)


def test_a_skip_connection_and_convex_functions(data, tmp_path, capsys):
    net, predictions = tmp_path / "net.npz", tmp_path / "out.csv"
    command = ["fit", str(data), "--target", "y", "--features", "a", "b", "--alpha", "0.001", "--skip"]
    assert main([*command, "--output-sign", "positive", "--output", str(net)]) == 0
    assert "globally optimal" in capsys.readouterr().out
    network = cr.Network.load(net)
    assert (network.v > 0).all()
    assert network.skip[1] == pytest.approx(1.0, abs=0.05)  # y = abs(a) + b
    assert main(["predict", str(net), str(data), "--output", str(predictions)]) == 0
    table = rows_of(data)
    expected = network([[float(row["a"]), float(row["b"])] for row in table])
    np.testing.assert_allclose([float(row["prediction"]) for row in rows_of(predictions)], expected, rtol=1e-12)


def test_progress_goes_to_standard_error(data, capsys):
    command = ["fit", str(data), "--target", "y", "--features", "a", "--alpha", "1", "--progress"]
    assert main(command) == 0
    assert "certifying" in capsys.readouterr().err


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["--target", "z"], "has no column 'z'; it has 'a', 'b', 'y', 'kind'"),
        (
            ["--target", "y", "--loss-parameters", "q=0.5"],
            "has no parameter 'q'; there are delta of huber; q",
        ),
        (["--target", "y", "--loss", "quantile", "--loss-parameters", "q=2"], "q=2 must be between 0 and 1"),
        (["--target", "y", "--features", "a", "--sample-weight", "a"], "and not the target or the weight"),
        (["--target", "y", "--features", "a", "--sample-weight", "b"], "sample_weight is negative in rows"),
        (["--target", "y"], "Column 'kind' of .* holds '(big|small)', which is no finite number, in lines 2, 3, "),
        (
            ["--target", "y", "--features", "a", "--alpha", "-1"],
            "--alpha -1 must be positive; .* --loss interpolation or",
        ),
        (
            ["--target", "y", "--features", "a", "--time-limit", "0"],
            "--time-limit 0 must be a positive number of seconds",
        ),
        (["--target", "y", "--features", "y"], "The inputs must be at least one column"),
        (["--target", "y", "--features", "a", "--loss", "hinge", "--alpha", "1"], "has 20 different values"),
        (["--target", "y", "--features", "a", "--alpha", "1", "--solver", "x"], "--solver x is not installed"),
    ],
)
def test_errors_are_one_sentence(data, capsys, command, message):
    assert main(["fit", str(data), *command]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert re.search(message, err)


def test_unreadable_files(tmp_path, capsys):
    for content, message in (
        ("", "holds no data"),
        ("a,b\n1\n", "Line 2 of .* has 1 cells"),
        (None, "cannot be read"),
    ):
        path = tmp_path / "bad.csv"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content)
        assert main(["fit", str(path), "--target", "a"]) == 2
        assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    "notes",
    [["a", '"b', "c", "d"], ["a", '"5 in pipe', "c", '"3 in pipe'], ["a", '"b" c', "d", "e"]],
    ids=str,
)
def test_a_stray_quotation_mark_swallows_no_lines(notes, tmp_path, capsys):
    """A note that nobody asked for took lines with it, and what was left was fitted."""
    path = tmp_path / "notes.csv"
    path.write_text("x,y,note\n" + "".join(f"{k},{k * k},{note}\n" for k, note in enumerate(notes)))
    assert main(["fit", str(path), "--target", "y", "--features", "x"]) == 2
    assert "a cell that begins with a quotation mark ends with one" in capsys.readouterr().err


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_what_has_no_weight_is_left_out(tmp_path, capsys):
    """Whatever is in such a row: a third class, a missing target, or an input that is none."""
    rows = [f"{x},{kind},1" for x, kind in enumerate("abab")]
    table = write(tmp_path / "t.csv", "x,kind,w", *rows, "5,c,0", "6,,0", "?,a,0.0")
    assert main(["fit", table, "--target", "kind", "--loss", "margin", "--sample-weight", "w"]) == 0
    with_weights = capsys.readouterr().out.splitlines()[0]
    assert (
        main(
            [
                "fit",
                write(tmp_path / "r.csv", "x,kind,w", *rows),
                "--target",
                "kind",
                "--features",
                "x",
                "--loss",
                "margin",
            ]
        )
        == 0
    )
    assert capsys.readouterr().out.splitlines()[0] == with_weights
    nothing = write(tmp_path / "n.csv", "x,y,w", "0,1,0", "1,2,0")
    assert main(["fit", nothing, "--target", "y", "--sample-weight", "w"]) == 2
    assert "sample_weight is zero for every sample" in capsys.readouterr().err


@pytest.mark.filterwarnings("default::cvxrelu.AccuracyWarning")
def test_errors_speak_of_lines_and_options(tmp_path, capsys):
    equal = write(tmp_path / "equal.csv", "x,y", "0,1", "1,2", "1,3")
    assert main(["fit", equal, "--target", "y", "--loss", "interpolation"]) == 2
    err = capsys.readouterr().err
    assert re.search(r"Rows 1 and 2 of X .*counted from 0 without the header; row 0 is line 2 of ", err), err
    command = ["fit", write(tmp_path / "t.csv", "x,y", "0,0", "1,1", "2,0"), "--target", "y"]
    assert main([*command, "--loss", "interpolation", "--output-sign", "positive"]) == 2
    err = capsys.readouterr().err
    assert "a skip connection if there is none" in err
    assert "True" not in err
    rng = np.random.default_rng(0)
    table = tmp_path / "table.csv"
    np.savetxt(table, np.column_stack([rng.standard_normal((40, 8)), rng.standard_normal(40)]), delimiter=",",
               header="a,b,c,d,e,f,g,h,y", comments="")  # fmt: skip
    assert main(["fit", str(table), "--target", "y", "--time-limit", "0.2", "--alpha", "0.01"]) == 0
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert not re.search(r"warm_start|prove=|fit\.network", text), text
    assert main(["fit", str(table), "--target", "y", "--alpha", "0.01", "--method", "sample"]) == 0
    told = capsys.readouterr().out
    assert "(sampled: of the patterns that were drawn, and no others)" in told
    assert "proven lower bound" not in told


def test_what_a_table_cannot_say_is_refused(tmp_path, capsys):
    twice = write(tmp_path / "twice.csv", "x,x,y", "0,1,1", "1,1,2")
    large = write(tmp_path / "large.csv", "x,y", "9007199254740993,1", "9007199254740992,2")
    small = write(tmp_path / "small.csv", "x,y", "0,1", "1,2")
    for command, message in (
        ([twice, "--target", "y"], "has 2 columns 'x'; give them different names"),
        ([large, "--target", "y"], "holds integers beyond 2\\^53, which floats round, in line 2; subtract"),
        ([small, "--target", "y", "--loss", "huber", "--loss-parameters", "delta=1", "delta=2"], "given twice"),
    ):
        assert main(["fit", *command]) == 2
        assert re.search(message, capsys.readouterr().err)


def test_help_states_defaults_that_are_zero():
    help_text = subprocess.run(
        [sys.executable, "-m", "cvxrelu", "fit", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "slope of the leaky ReLU (default: 0.0)" in " ".join(help_text.split())
    assert "(default: False)" not in help_text


def test_the_network_is_saved_before_anybody_is_told(data, tmp_path):
    """Who reads the summary may not listen, or standard output may be full."""
    command = [sys.executable, "-u", "-m", "cvxrelu", "fit", str(data), "--target", "y", "--features", "a"]
    with open("/dev/full", "w") as full:
        told = subprocess.run([*command, "--output", str(tmp_path / "net.npz")], stdout=full, stderr=subprocess.PIPE)
    assert told.returncode == 2
    assert b"Standard output cannot be written (No space left" in told.stderr
    assert cr.Network.load(tmp_path / "net.npz").n_features == 1


def test_classes_that_standard_output_cannot_show(tmp_path):
    table = write(tmp_path / "sizes.csv", "x,size", "0,größer", "1,kleiner", "2,größer")
    net = str(tmp_path / "net.npz")
    assert main(["fit", table, "--target", "size", "--loss", "margin", "--output", net]) == 0
    told = subprocess.run(
        [sys.executable, "-m", "cvxrelu", "predict", net, table],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert told.returncode == 2
    assert b"Standard output takes ascii and has no '\\xf6'; use --output" in told.stderr


def test_pictures_without_ending_are_checked_by_the_name_that_they_get(data, tmp_path, capsys):
    (tmp_path / "taken.png").mkdir()
    (tmp_path / "free").mkdir()
    command = ["fit", str(data), "--target", "y", "--features", "a", "--plot"]
    assert main([*command, str(tmp_path / "taken")]) == 2
    assert "that is a folder" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "free")]) == 0
    assert (tmp_path / "free.png").exists()


def test_demo(tmp_path, capsys):
    assert main(["demo", "--output", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert len(list(tmp_path.glob("*.png"))) == 4
    assert "six points, free bias               30            30" in out


def test_it_runs_as_a_module():
    result = subprocess.run([sys.executable, "-m", "cvxrelu", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("cvxrelu ")


@pytest.mark.parametrize(
    "options",
    [
        ["--tol", "-1"],
        ["--time-limit", "-1"],
        ["--negative-slope", "1"],
        ["--alpha", "-1"],
        ["--method", "line"],
        ["--solver", "abacus"],
        ["--loss", "interpolation", "--alpha", "0.1"],
    ],
)
def test_every_option_arrives(data, options, capsys):
    """What `solve` and `Problem` refuse for two inputs, the command line refuses."""
    command = ["fit", str(data), "--target", "y", "--features", "a", "b", "--alpha", "0.1"]
    assert main([*command, *options]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_biases_are_left_out_on_request_and_features_keep_their_order(data, tmp_path, capsys):
    net = tmp_path / "net.npz"
    command = ["fit", str(data), "--target", "y", "--features", "b", "a", "--alpha", "0.01", "--bias", "none"]
    assert main([*command, "--output", str(net)]) == 0
    network = cr.Network.load(net)
    assert network.n_neurons
    assert not network.b.any()
    capsys.readouterr()
    assert main(["predict", str(net), str(data)]) == 0
    predicted = [float(row["prediction"]) for row in csv.DictReader(capsys.readouterr().out.splitlines())]
    X = [[float(row["b"]), float(row["a"])] for row in rows_of(data)]
    np.testing.assert_allclose(predicted, network(X), rtol=1e-12)


def test_a_network_without_ending_is_found_again(data, tmp_path, capsys):
    np.savetxt(tmp_path / "xy.csv", [[0, 0], [1, 1], [2, 0]], delimiter=",", header="x,y", comments="")
    bare = tmp_path / "bare"
    assert main(["fit", str(tmp_path / "xy.csv"), "--target", "y", "--output", str(bare)]) == 0
    assert cr.Network.load(bare) == cr.Network.load(tmp_path / "bare.npz")
    capsys.readouterr()
    assert main(["predict", str(bare), str(tmp_path / "xy.csv")]) == 0
    assert capsys.readouterr().out.startswith("prediction")
    (tmp_path / "folder.npz").mkdir()
    folder = tmp_path / "folder"
    assert main(["fit", str(tmp_path / "xy.csv"), "--target", "y", "--output", str(folder)]) == 2
    assert "that is a folder" in capsys.readouterr().err


def test_networks_of_several_outputs_predict_in_columns(tmp_path, capsys):
    network = cr.Network([[1.0]], [0.0], [[1.0, -1.0]])
    network.save(tmp_path / "two.npz", features=["x"])
    (tmp_path / "x.csv").write_text("x\n1\n-1\n")
    assert main(["predict", str(tmp_path / "two.npz"), str(tmp_path / "x.csv")]) == 0
    assert capsys.readouterr().out.split() == ["prediction", "1,prediction", "2", "1,-1", "0,0"]


@pytest.mark.parametrize(
    ("text", "names"), [('"x\n(cm)";y\n1;2\n', ("x\n(cm)", "y")), ("\tx\n0\t0\n1\t2.5\n", ("", "x"))]
)
def test_headers_as_spreadsheets_and_pandas_write_them(text, names, tmp_path):
    (tmp_path / "table").write_text(text)
    assert read_table(tmp_path / "table").names == names
