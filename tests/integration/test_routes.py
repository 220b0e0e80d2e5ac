#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""By whose voice the daemon speaks: the services of Orca 49, 50 and 51 as
python3-dbusmock templates, one that hangs, one that says no, a screen reader
without a service, and nobody. Speech Dispatcher's own part, and Orca 43, are
tested with the real programs in test_orca.py."""
import os
import signal

import dbus

import harness
import mocking
from harness import test, wait_for

NONE = dbus.Dictionary(signature="sv")
# a busy machine must not make Orca look slow
PATIENT = ("--set", "speech.route-timeout=5000")


def mock(bus, template, **parameters):
    name = "org.gnome.Orca1.Service" if template == "orca51" else "org.gnome.Orca.Service"
    return mocking.mock(bus, template, name, **parameters)


def route(daemon):
    return str(daemon.status().get("route", ""))


def wav_size(daemon):
    return os.path.getsize(daemon.wav)


def say(daemon, text, expected):
    """Says it and waits for the route that took it."""
    daemon.interface.Say(text, NONE)
    wait_for(lambda: text in said(daemon) and route(daemon) == expected, 60,
             f"the route {expected}: " + str(daemon.status().get("route_reason")))


def said(daemon):
    """All that the daemon has been told to say."""
    return daemon.log()


@test
def orca_51():
    """Orca 51 gets the message once; our own voice is silent; stop interrupts it"""
    with harness.daemon(*PATIENT) as daemon, mock(daemon.bus, "orca51") as (_, calls):
        say(daemon, "A man riding a wave.", "orca")
        assert calls("PresentMessage") == ['"A man riding a wave."'], calls("PresentMessage")
        assert "51.0" in daemon.status()["route_reason"]
        assert daemon.property("Speaking")
        daemon.interface.Stop()
        wait_for(lambda: calls("InterruptSpeech") == ["False"], 60, "the interruption")
        assert not daemon.property("Speaking")
        assert wav_size(daemon) <= 44
        daemon.interface.Repeat()
        wait_for(lambda: len(calls("PresentMessage")) == 2, 60, "the repetition")


@test
def orca_49_and_50():
    """Orca 49 and 50 get the message once, and each its own interruption"""
    for version, module in (("49.2", "SpeechAndVerbosityManager"), ("50.1", "SpeechManager")):
        with harness.daemon(*PATIENT) as daemon, \
                mock(daemon.bus, "orca49", version=version, module=module) as (_, calls):
            say(daemon, "Two dogs.", "orca")
            assert calls("PresentMessage") == ['"Two dogs."']
            assert version in daemon.status()["route_reason"]
            daemon.interface.Stop()
            wait_for(lambda: calls("ExecuteCommand") == ['"InterruptSpeech" False'], 60,
                     "the interruption")


@test
def orca_1_first():
    """Where both names exist the newer is used, and only that"""
    with harness.daemon(*PATIENT) as daemon, mock(daemon.bus, "orca49") as (_, old), \
            mock(daemon.bus, "orca51") as (_, new):
        say(daemon, "A bench.", "orca")
        assert len(new("PresentMessage")) == 1 and not old("PresentMessage")


@test
def refusal():
    """An Orca that does not take the message: our own voice says it"""
    with harness.daemon(*PATIENT) as daemon, mock(daemon.bus, "orca51", accepts=False) as (_, calls):
        say(daemon, "A train.", "own")
        assert len(calls("PresentMessage")) == 1
        wait_for(lambda: wav_size(daemon) > 5000, 60, "our own voice")
        assert "orca" in daemon.status()["route_reason"]


@test
def hung():
    """An Orca that hangs is passed over, and says nothing when it wakes up"""
    with harness.daemon(*PATIENT) as daemon, mock(daemon.bus, "orca51") as (process, calls):
        process.send_signal(signal.SIGSTOP)
        say(daemon, "A plate of food.", "own")
        wait_for(lambda: wav_size(daemon) > 5000, 60, "our own voice")
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: calls("GetVersion"), 60, "the hung service's waking up")
        say(daemon, "A second plate.", "orca")
        assert calls("PresentMessage") == ['"A second plate."'], calls("PresentMessage")


@test
def gone():
    """With Orca gone the next utterance comes by the next route, and back again"""
    with harness.daemon(*PATIENT) as daemon:
        with mock(daemon.bus, "orca51") as (_, calls):
            say(daemon, "One.", "orca")
        say(daemon, "Number two.", "own")
        with mock(daemon.bus, "orca51") as (_, calls):
            say(daemon, "Number three.", "orca")
            assert calls("PresentMessage")[-1] == '"Number three."'


@test
def configured():
    """speech.route = own does not ask Orca; a reload changes the route"""
    with harness.daemon(*PATIENT, config="[speech]\nroute = own\n") as daemon, \
            mock(daemon.bus, "orca51") as (_, calls):
        say(daemon, "By myself.", "own")
        assert not calls("GetVersion") and not calls("PresentMessage")
        with open(daemon.config, "w") as file:
            file.write("[speech]\nroute = orca\n")
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "read again" in daemon.log(), 60, "the reload")
        say(daemon, "By Orca.", "orca")
        assert calls("PresentMessage") == ['"By Orca."']


@test
def order():
    """Utterances keep their order, and one that stops the others does"""
    with harness.daemon(*PATIENT) as daemon, mock(daemon.bus, "orca51") as (_, calls):
        following = dbus.Dictionary({"priority": "next"}, signature="sv")
        for word in ("One.", "Two.", "Three.", "Four."):
            daemon.interface.Say(word, following)
        wait_for(lambda: len(calls("PresentMessage")) == 4, 60, "four messages")
        assert calls("PresentMessage") == ['"One."', '"Two."', '"Three."', '"Four."']


@test
def bad_texts():
    """What cannot be said is told to the caller at once, whoever would speak"""
    with harness.daemon(*PATIENT) as daemon, mock(daemon.bus, "orca51") as (_, calls):
        for text, options, error in (("", NONE, "BadOption"), (" \n", NONE, "BadOption"),
                                     ("Hello", dbus.Dictionary({"language": "tlhx"},
                                                               signature="sv"), "NoVoice")):
            try:
                daemon.interface.Say(text, options)
            except dbus.DBusException as problem:
                assert problem.get_dbus_name().startswith("org.descry.Error."), problem
            else:
                raise AssertionError(f"{text!r} was taken, not refused as {error}")
        assert not calls("PresentMessage")


mocking.need()
harness.run()
