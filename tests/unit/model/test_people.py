"""Which names of a person count, and that the text for people holds all of them."""

from __future__ import annotations

import pytest

from migrator.model.people import Person

ADA = Person("ada", 1000)
ROOT = Person("root", 0)
SUDO = Person("root", 0, "ada")
SERVICE = Person("deploy", 990, "ada")
ENTRA = Person("ada", 1000, "", ("ada@contoso.example", "6b1f0a9e-0000-4000-8000-000000000001"))


@pytest.mark.parametrize("person", [ADA, ROOT, SUDO, SERVICE, ENTRA, Person("uid 4711", 4711)], ids=str)
def test_the_text_says_who_it_was(person: Person) -> None:
    again = Person.read(str(person))
    assert (again.login, again.sudo, again.entra) == (person.login, person.sudo, person.entra)
    assert (again.admitted, again.barred) == (person.admitted, person.barred)


@pytest.mark.parametrize(
    ("person", "admitted", "barred"),
    [
        (ADA, {"ada"}, {"ada"}),
        (ROOT, {"root"}, {"root"}),
        (SUDO, {"root", "ada"}, {"ada"}),
        (SERVICE, {"deploy"}, {"deploy", "ada"}),
        (ENTRA, {"ada", *ENTRA.entra}, {"ada", *ENTRA.entra}),
    ],
    ids=["ada", "root", "root-for-ada", "deploy-for-ada", "entra"],
)
def test_a_name_that_only_a_variable_says_bars_and_does_not_admit(
    person: Person, admitted: set[str], barred: set[str]
) -> None:
    assert person.admitted == admitted
    assert person.barred == barred


@pytest.mark.parametrize("text", ["", "ada (sudo: ", "a (b) (c)", "(entra: x)"])
def test_a_text_of_an_older_version_is_a_login(text: str) -> None:
    assert isinstance(Person.read(text).login, str)
