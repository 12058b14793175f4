"""Who takes part, read off the shipped lifecycles and off small ones."""

import re
from dataclasses import replace

from crdt_sync.adapters.lifecycle_files import load, shipped
from crdt_sync.domain.lifecycle.people import Person, openers, people

CONNECT_ORDER = load(shipped()["connect-order"])


def told(found):
    return [(person.department, list(person.roles)) for person in found]


def test_everybody_whom_the_file_asks_for_takes_part_and_the_gateway_is_nobody():
    assert [
        ("backoffice", ["backoffice"]),
        ("sales", ["sales"]),
        ("sales", ["sales", "sales_lead"]),
        ("tech", ["tech"]),
        ("tech", ["tech", "tech_lead"]),
        ("support", ["support"]),
    ] == told(people(CONNECT_ORDER))


def test_a_department_with_two_lanes_takes_part_once():
    assert [
        ("service_desk", ["service_desk"]),
        ("service_desk", ["service_desk", "desk_lead"]),
        ("warehouse", ["warehouse"]),
        ("warehouse", ["warehouse", "inspector"]),
        ("finance", ["finance"]),
        ("finance", ["finance", "finance_lead"]),
    ] == told(people(load(shipped()["return-of-goods"])))


def test_those_open_who_hold_one_of_the_roles():
    assert ["tech_lead"] == [
        person.role for person in openers(replace(CONNECT_ORDER, open_by=("tech_lead", "gateway")))
    ]
    assert [] == openers(replace(CONNECT_ORDER, open_by=("gateway",)))
    assert Person("sales", "sales_lead", "sales_lead") in openers(replace(CONNECT_ORDER, open_by=("sales",)))


def test_two_departments_with_a_role_of_one_name_have_people_of_two_names():
    unlabelled = re.sub(r"\n +(sales|tech)_lead: .*", "", shipped()["connect-order"])
    names = [person.name for person in people(load(re.sub("(sales|tech)_lead", "lead_of_all", unlabelled)))]
    assert ["backoffice", "sales", "sales-lead_of_all", "tech", "tech-lead_of_all", "support"] == names
