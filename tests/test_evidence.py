"""Evidence: what a search would prove if it had seen everything, and never taken for a proof."""

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.certificate.bounds import nothing_proven
from cvxrelu.certificate.certificate import certificate_of
from cvxrelu.certificate.evidence import gather_evidence
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.certificate.wording import search_sentence
from cvxrelu.pricing import make_pricer, price
from cvxrelu.problem.losses import Hinge, Squared
from tests.instances import BIASES, LOSSES, SIX_X, SIX_Y, SLOPES, make_problem, normal_data

CASES = list(itertools.product(LOSSES, BIASES, (0.0, -0.3)))


def gamma(evidence, problem):
    """The proven upper bound on the score of the vector that was searched."""
    return price(problem.X, evidence.dual, bias=problem.bias, negative_slope=problem.negative_slope).upper


@pytest.mark.parametrize(("loss", "bias", "slope"), CASES)
def test_where_a_proof_closes_the_evidence_agrees(loss, bias, slope):
    problem = make_problem(loss, n_samples=12, bias=bias, negative_slope=slope)
    certificate = cr.solve(problem).certificate
    assert certificate.relative_gap <= 1e-6
    evidence = certificate.search(400, random_state=0)
    assert evidence.ascents == 400
    assert 0 < evidence.maxima < 60
    assert evidence.unseen == evidence.once / 400 < 0.02
    assert evidence.largest == pytest.approx(gamma(evidence, problem), rel=1e-8)
    assert evidence.largest <= gamma(evidence, problem) * (1 + 1e-12)
    assert abs(evidence.excess) < 1e-4
    assert evidence.lower_if_complete == pytest.approx(certificate.upper, rel=1e-4)
    assert evidence.lower_if_complete <= certificate.upper * (1 + 1e-9)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("bias", BIASES)
def test_what_was_found_is_never_above_what_is_proven(bias, slope):
    for seed in range(5):
        problem = make_problem("squared", 15, seed=seed, bias=bias, negative_slope=slope, alpha=1e-3)
        constant = cr.Network(np.empty((0, 2)), [], [], 0.0, slope)
        certificate = certificate_of(problem, constant, nothing_proven(problem))
        few, many = (certificate.search(count, random_state=seed) for count in (1, 300))
        assert few.largest <= many.largest * (1 + 1e-9)
        assert many.largest <= gamma(many, problem) * (1 + 1e-12)
        assert many.largest == pytest.approx(gamma(many, problem), rel=1e-8)
        assert many.unseen < 0.05


@pytest.mark.parametrize("loss", LOSSES)
def test_a_fit_without_proof_has_a_vector_to_search(loss, tmp_path):
    problem = make_problem(loss, 15, 4)
    # A fit without a proof may miss a neuron on its own, and is then a share of up to 1e-4 above the optimum.
    start = cr.solve(problem, tol=1e-4, random_state=0).network
    certificate = cr.solve(problem, prove=False, random_state=0, warm_start=start).certificate
    evidence = certificate.search(400, random_state=0)
    assert certificate.lower == certificate.of(certificate.network).lower == 0
    assert evidence.lower_if_complete == pytest.approx(certificate.upper, rel=1e-5)
    certificate.save(tmp_path / "certificate.json")
    loaded = cr.load_certificate(tmp_path / "certificate.json")
    assert (loaded.lower, loaded.gamma) == (0, certificate.gamma)
    assert loaded.search(400, random_state=0).sentence == evidence.sentence
    if loss not in ("squared", "huber", "logistic"):  # which have a force to search
        assert certificate.gamma == np.inf
        assert certify_dual(problem, certificate.network, certificate.dual).lower > 0.99 * certificate.upper
    replace(certificate, lower=1e-9).save(tmp_path / "forged.json")
    with pytest.raises(cr.InputError, match="its dual vector proves 0"):
        cr.load_certificate(tmp_path / "forged.json")


def test_a_search_changes_nothing_about_the_certificate():
    certificate = cr.solve(make_problem("squared", n_features=3), time_limit=5.0).certificate
    before = {field.name: np.copy(getattr(certificate, field.name)) for field in fields(certificate)[:7]}
    certificate.search(50, random_state=0)
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(certificate, name), value)


def test_more_ascents_leave_nothing_unseen():
    certificate = cr.solve(make_problem("squared", 20)).certificate
    unseen = [certificate.search(count, random_state=0).unseen for count in (1, 10, 1000)]
    assert unseen[0] in (0.0, 1.0)  # nothing is found where no score on the side of the one ascent is positive
    assert 0.1 < unseen[1] <= 1.0
    assert unseen[2] <= 0.002  # a summit that one or two of a thousand reach may be the last one


@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_seed_gives_the_same_evidence(loss):
    certificate = cr.solve(make_problem(loss, 20)).certificate
    first, again = (certificate.search(100, random_state=3) for _ in range(2))
    assert (first.sentence, repr(first), str(first)) == (again.sentence, repr(again), again.sentence)
    assert (first.largest, first.once, first.bound) == (again.largest, again.once, again.bound)


@pytest.mark.parametrize("bias", BIASES)
def test_a_violation_is_a_neuron_that_improves_the_network(bias):
    """The force of the best constant is violated by what is to be learned."""
    problem = make_problem("squared", 30, 5, bias=bias, alpha=1e-3)
    constant = cr.Network(np.empty((0, 5)), [], [], problem.y.mean() if bias == "free" else 0.0)
    evidence = certificate_of(problem, constant, nothing_proven(problem)).search(200, random_state=0)
    assert evidence.excess > 1
    assert evidence.bound == 30 * 1e-3
    best = make_pricer(problem.X, bias).maxima(evidence.dual, 200, random_state=0)
    assert best.largest == pytest.approx(evidence.largest, rel=1e-9)
    joined = cr.Network(best.W[:1], best.b[:1], 1e-6 * np.sign(best.scores[:1]), constant.intercept)
    gain = problem.objective(constant) - problem.objective(joined)
    assert gain == pytest.approx(1e-6 * (evidence.largest / 30 - 1e-3), rel=1e-3)


@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge"])
def test_no_violation_where_a_constant_is_optimal(loss):
    problem = make_problem(loss, 20, 3)
    strong = replace(problem, alpha=1.01 * cr.alpha_max(problem, time_limit=30.0))
    certificate = cr.solve(strong, time_limit=10.0).certificate
    evidence = certificate.search(100, random_state=0)
    assert certificate.network.n_neurons == 0
    assert -0.05 < evidence.excess <= 1e-9
    assert evidence.lower_if_complete == pytest.approx(certificate.upper, rel=1e-9)
    assert "none above" in evidence.sentence


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
@pytest.mark.parametrize(("loss", "bias"), list(itertools.product(LOSSES, BIASES)))
def test_too_few_ascents_do_not_make_a_network_better_than_the_best(loss, bias):
    """The network's own neurons score no more than what was found, and so its objective is no less than the bound."""
    problem = make_problem(loss, 25, 6, bias=bias, alpha=1e-3)
    fit = cr.solve(problem, time_limit=1.0, max_rounds=2, random_state=0, prove=False)
    for dual in (fit.certificate.dual, problem.y - problem.y.mean()):
        certificate = certify_dual(problem, fit.network, dual, time_limit=0.05)
        evidence = certificate.search(2, random_state=0)
        assert 0 < evidence.lower_if_complete <= certificate.upper * (1 + 1e-9)
        if loss not in ("squared", "logistic"):  # where it is the vector of the certificate that was searched
            assert certificate.lower <= evidence.lower_if_complete * (1 + 1e-12)
        own = np.column_stack([fit.network.W, fit.network.b])
        assert evidence.largest >= make_pricer(problem.X, bias).ascend(evidence.dual, n_starts=0, starts=own).value


@pytest.mark.parametrize("loss", ["interpolation", "margin", "hinge"])
def test_any_multiple_of_the_dual_vector_tells_the_same(loss):
    problem = make_problem(loss, 15, 3)
    certificate = cr.solve(problem).certificate
    scaled = replace(certificate, dual=2.0**-7 * certificate.dual, gamma=2.0**-7 * certificate.gamma)
    one, other = (each.search(100, random_state=0) for each in (certificate, scaled))
    assert other.largest == pytest.approx(one.largest / 128)
    assert other.bound == pytest.approx(one.bound / 128)
    assert other.excess == pytest.approx(one.excess, abs=1e-9)
    assert other.lower_if_complete == pytest.approx(one.lower_if_complete)


def test_the_bound_of_a_constraint_is_what_would_prove_the_network():
    """The optimal cost is 30, the vector is (5/2, -15/2, 5, 5, -15/2, 5/2), and its largest score 1."""
    problem, dual = cr.Problem(SIX_X, SIX_Y), np.array([1.0, -3.0, 2.0, 2.0, -3.0, 1.0])
    best = cr.solve(problem).network
    evidence = certify_dual(problem, best, dual).search(300, random_state=0)
    assert evidence.largest == pytest.approx(0.4)
    assert evidence.bound == pytest.approx(0.4)
    assert (evidence.maxima, evidence.unseen) == (6, 0)
    wasteful = cr.Network(
        np.vstack([best.W, [[1.0], [1.0]]]),
        np.append(best.b, [5.0, 5.0]),
        np.append(best.v, [3.0, -3.0]),
        best.intercept,
    )
    evidence = certify_dual(problem, wasteful, dual).search(300, random_state=0)
    assert evidence.bound == pytest.approx(0.4 * 30 / 36)
    assert evidence.excess == pytest.approx(0.2)
    assert evidence.lower_if_complete == pytest.approx(30)
    assert "at most 21 % above the best possible" in evidence.sentence


def test_a_box_limits_what_a_vector_can_be_asked_for():
    """Of the hinge loss p = y v is at most 1, so with p = 1 at most mean(p) can be proven, from gamma = N alpha on."""
    problem = cr.Problem(SIX_X, SIX_Y, "hinge", alpha=0.5, bias="none")
    zero = cr.Network(np.empty((0, 1)), [], [])
    evidence = certify_dual(problem, zero, SIX_Y / 4).search(100, random_state=0)
    assert evidence.upper == pytest.approx(1)
    assert evidence.bound == pytest.approx(0.25 * 6 * 0.5)
    assert evidence.lower_if_complete == pytest.approx(1)


def test_a_network_that_fits_badly_has_no_bound_but_the_others_do():
    problem = cr.Problem(SIX_X, SIX_Y)
    certificate = cr.certify(cr.Network([[1.0]], [0.0], [1.0]), problem)
    evidence = certificate.search(300, random_state=0)
    assert (evidence.upper, evidence.bound, evidence.excess) == (np.inf, 0.0, np.inf)
    assert evidence.lower_if_complete == pytest.approx(30)
    assert "If no neuron scores more, no network with a finite objective has one below 29.99" in evidence.sentence


def test_a_vector_of_zeros_is_no_evidence():
    problem = cr.Problem(SIX_X, SIX_Y)
    evidence = certificate_of(problem, cr.solve(problem).network, nothing_proven(problem)).search(10)
    assert (evidence.ascents, evidence.maxima, evidence.unseen, evidence.lower_if_complete) == (0, 0, 1.0, 0.0)
    assert evidence.excess == np.inf
    assert evidence.sentence == "No ascent was made, so there is no evidence beside the proof."
    perfect = cr.Problem(SIX_X, np.full(6, 2.0), "squared", alpha=0.1)
    evidence = cr.solve(perfect).certificate.search(10)
    assert (evidence.ascents, evidence.largest, evidence.lower_if_complete) == (0, 0.0, 0.0)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bias", ["free", "joint"])
def test_duplicates_are_data_like_others(loss, bias):
    problem = make_problem(loss, 10, 3, bias=bias)
    twice = replace(problem, X=np.vstack([problem.X, problem.X]), y=np.tile(problem.y, 2))
    certificate = cr.solve(problem).certificate
    dual = np.tile(certificate.dual, 2)
    doubled = certify_dual(twice, certificate.network, dual, time_limit=0.1)
    one, two = certificate.search(200, random_state=0), doubled.search(200, random_state=0)
    assert abs(two.maxima - one.maxima) <= 2  # on a ridge, rounding decides which of its summits an ascent ends in
    assert abs(two.unseen - one.unseen) <= 0.02
    assert two.excess == pytest.approx(one.excess, abs=1e-7)
    assert two.lower_if_complete == pytest.approx(one.lower_if_complete)


class Unsmooth(Squared):
    """A loss without a force."""

    def force(self, z, y):
        return None


def test_a_loss_without_a_force_takes_the_dual_vector_of_the_certificate():
    problem = make_problem("squared", 12)
    rough = replace(problem, loss=Unsmooth())
    fit = cr.solve(problem)
    smooth, other = (certify_dual(each, fit.network, fit.certificate.dual).search(200) for each in (problem, rough))
    np.testing.assert_array_equal(other.dual, certify_dual(rough, fit.network, fit.certificate.dual).dual)
    assert other.lower_if_complete == pytest.approx(smooth.lower_if_complete, rel=1e-5)
    assert other.excess == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_vector_that_would_prove_more_is_searched(loss):
    """That of the optimum beside a rough network, and the force of a good network beside a rough vector."""
    problem = make_problem(loss, 20)
    best = cr.solve(problem)
    constant = cr.Network(np.empty((0, 2)), [], [], 0.1)
    rough = problem.repair(problem.loss.first_dual(problem.y))
    for network, dual in ((constant, best.certificate.dual), (best.network, rough)):
        evidence = gather_evidence(problem, network, dual, problem.objective(network), 300, random_state=0)
        assert evidence.lower_if_complete == pytest.approx(best.objective, rel=1e-3)


def test_a_network_beyond_floats_has_no_force():
    problem = make_problem("squared", 12)
    certificate = certify_dual(problem, cr.Network([[1e200, 0.0]], [0.0], [1e200]), problem.y)
    evidence = certificate.search(20, random_state=0)
    assert evidence.upper == np.inf
    assert evidence.excess == np.inf
    assert evidence.lower_if_complete > 0


def test_only_the_euclidean_norm_is_climbed():
    fit = cr.solve(cr.Problem(SIX_X, SIX_Y, norm="response"))
    with pytest.raises(cr.InputError, match="Local ascent is for norm='euclidean'"):
        fit.certificate.search()


@pytest.mark.parametrize("option", [{"n_ascents": 0}, {"random_state": -1}, {"time_limit": -1.0}, {"n_ascents": 1.5}])
def test_strange_options_are_refused(option):
    problem = cr.Problem(SIX_X, SIX_Y)
    certificate = certificate_of(problem, cr.Network([[1.0]], [0.0], [1.0]), nothing_proven(problem))
    with pytest.raises(cr.CvxReluError, match=next(iter(option))):
        certificate.search(**option)


def test_a_time_limit_leaves_fewer_ascents():
    X, y = normal_data(3000, 10)
    problem = cr.Problem(X, y, "squared", alpha=0.01)
    network = cr.Network(np.eye(10), np.zeros(10), np.full(10, 0.1))
    some, none = (
        gather_evidence(problem, network, y, problem.objective(network), 10**6, time_limit=s) for s in (0.5, 0)
    )
    assert 0 < some.ascents < 10**6
    assert (none.ascents, none.unseen, none.lower_if_complete) == (0, 1.0, 0.0)
    assert some.largest > none.largest > 0  # the network's own neurons are looked at in any case


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((1, 1, 1.0, 0.5, 2.0, 1.0), "1 ascent found 1 local maximum, which is 50 % above what an optimum allows; "),
        ((9, 2, 0.0, 1e-9, 2.0, 1.0), "9 ascents found 2 local maxima, the largest 1.1e-7 % above"),
        ((9, 2, 0.3334, -0.5, 2.0, 1.0), "none above what an optimum allows; about 34 % of further ascents would find"),
        (
            (9, 2, 0.0, -0.5, 2.0, 1.0),
            "each was found more than once. If no neuron scores more, the network is at most ",
        ),
        (
            (9, 0, 0.0, -1.0, 2.0, 2.0),
            "9 ascents found no neuron with a score. If no neuron scores more, the network is",
        ),
        ((9, 2, 0.0, np.inf, np.inf, 1.23456789), "2 local maxima; each was found more than once. If no neuron scores"),
        ((9, 2, 0.0, np.inf, np.inf, 1.23456789), "no network with a finite objective has one below 1.234567."),
        ((9, 2, 0.0, 0.1, 5.0, 0.0), "the network is at most 5 above the best possible, of which no positive bound"),
        ((9, 2, 0.0, 0.1, 5.0, 2.0), "the network is at most 2.5 times the best possible."),
        ((9, 2, 0.0, 0.1, 2.0, 2.0), "the network is the best possible, up to rounding."),
    ],
)
def test_sentences_say_what_was_seen(numbers, words):
    ascents, maxima, unseen, excess, upper, lower = numbers
    sentence = search_sentence(ascents, maxima, unseen=unseen, excess=excess, upper=upper, lower_if_complete=lower)
    assert sentence.startswith("Evidence, no proof: ")
    assert words in sentence


def test_the_box_of_a_loss_is_its_own():
    """A loss of a user's, with labels and no force, is searched like those of the package."""

    class Halved(Hinge):
        name = "halved"

    problem = replace(make_problem("hinge", 12), loss=Halved())
    evidence = cr.solve(problem).certificate.search(200, random_state=0)
    assert evidence.lower_if_complete == pytest.approx(evidence.upper, rel=1e-6)
