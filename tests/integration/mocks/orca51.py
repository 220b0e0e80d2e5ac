# SPDX-License-Identifier: GPL-3.0-or-later
"""A python3-dbusmock template: the service of Orca 51, as far as messages go, by
its published introspection. `accepts` is what PresentMessage returns."""
BUS_NAME = "org.gnome.Orca1.Service"
MAIN_OBJ = "/org/gnome/Orca1/Service"
MAIN_IFACE = "org.gnome.Orca1.Service"
SYSTEM_BUS = False


def load(mock, parameters):
    accepts = bool(parameters.get("accepts", True))
    mock.AddMethods(MAIN_IFACE, [
        ("GetVersion", "", "s", "ret = '51.0'"),
        ("PresentMessage", "s", "b", f"ret = {accepts}"),
        ("SpeakMessage", "s", "b", f"ret = {accepts}"),
        ("ShowPreferences", "", "b", "ret = True"),
        ("Quit", "", "b", "ret = True"),
    ])
    mock.AddObject(MAIN_OBJ + "/SpeechManager", "org.gnome.Orca1.SpeechManager", {},
                   [("InterruptSpeech", "b", "b", "ret = True")])
