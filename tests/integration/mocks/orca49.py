# SPDX-License-Identifier: GPL-3.0-or-later
"""A python3-dbusmock template: the service of Orca 49 (and, with `module`
SpeechManager, of 50), as far as messages go, by its published introspection."""
BUS_NAME = "org.gnome.Orca.Service"
MAIN_OBJ = "/org/gnome/Orca/Service"
MAIN_IFACE = "org.gnome.Orca.Service"
SYSTEM_BUS = False


def load(mock, parameters):
    accepts = bool(parameters.get("accepts", True))
    version = parameters.get("version", "49.0")
    mock.AddMethods(MAIN_IFACE, [
        ("GetVersion", "", "s", f"ret = '{version}'"),
        ("PresentMessage", "s", "b", f"ret = {accepts}"),
        ("ListCommands", "", "a(ss)", "ret = []"),
        ("ListModules", "", "as", "ret = []"),
    ])
    mock.AddObject(MAIN_OBJ + "/" + parameters.get("module", "SpeechAndVerbosityManager"),
                   "org.gnome.Orca.Module", {},
                   [("ExecuteCommand", "sb", "b", "ret = True"),
                    ("ListCommands", "", "a(ss)", "ret = []")])
