"""Reads a pickle that nobody trusts: an interpreter of its own, in which nothing can be run.

Python's unpickler calls whatever a file tells it to, with whatever arguments; restricting the names alone leaves every
admitted name callable in every way. So the opcodes (split by the standard library's ``pickletools.genops``, which does
not run them) are carried out here, and each has one meaning only:

- a name is looked up in the tables of ``load_admitted``; anything else ends the reading there and then;
- "call" applies only to the ``Maker`` objects, which are functions of ours that check their arguments;
- "new object" makes only layers of torch.nn and torchvision, without arguments and without running ``__init__``;
- "set state" applies only to those layers, with a state that is checked first, and to OrderedDict's metadata: no
  hooks, no name that begins with two underscores (``copy.deepcopy`` would call a ``__deepcopy__``), nothing that hides
  a method;
- items are put only into plain lists, dicts and sets.
"""

from __future__ import annotations

import pickletools
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any

import torch
from torch import nn

from snnc.common.errors import SnncError
from snnc.compiler.frontend.files.admitted import Maker, hashable, look_up, untrusted
from snnc.compiler.frontend.files.tensors import MalformedFileError, StoredValues

__all__ = ["RestrictedUnpickler"]

_HIGHEST_PROTOCOL = 5
_REQUIRED_STATE = ("_parameters", "_buffers", "_modules")
_MEMBER_KINDS: dict[str, type] = {"_parameters": nn.Parameter, "_buffers": torch.Tensor, "_modules": nn.Module}

# Opcodes that push their argument, which genops has already decoded to an int, float, str or bytes.
_NUMBERS = frozenset(["BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"])
_TEXTS = frozenset(["BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"])
_BYTES = frozenset(["BINBYTES", "SHORT_BINBYTES", "BINBYTES8"])
_VALUES = _NUMBERS | _TEXTS | _BYTES
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}


class RestrictedUnpickler:
    """Reads one pickle as ``torch.save`` writes it, and runs no code that the file brings or names.

    Args:
        file: A binary file that stands at the start of the pickle, and afterwards at its end.
        find_storage: Turns a persistent id (what ``torch.save`` writes in place of the values of a tensor) into
            ``StoredValues``, or into a layer class in the older format; raises ``MalformedFileError`` where it cannot.
        where: The file's name, for errors.
    """

    def __init__(
        self, file: IO[bytes], find_storage: Callable[[object], StoredValues | type[nn.Module]], where: str
    ) -> None:
        self._file = file
        self._find_storage = find_storage
        self._where = where
        self._stack: list[Any] = []
        self._below_marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def load(self) -> Any:
        """Read the pickle.

        Returns:
            The object: made of numbers, strings, bytes, lists, tuples, dicts, sets, tensors, parameters and layers.

        Raises:
            UntrustedModelError: The file names something that is not admitted. Nothing of it has been run.
            ModelError: The file needs a layer that is not installed here.
            MalformedFileError: The file contradicts itself, or is not what ``torch.save`` writes.
        """
        try:
            for opcode, argument, _ in pickletools.genops(self._file):
                if opcode.name == "STOP":
                    return self._stack.pop()
                self._step(opcode.name, argument)
        except (SnncError, MalformedFileError):
            raise
        except Exception as error:  # Damage shows as any exception, out of genops, a container or a layer's state.
            raise MalformedFileError(f"its pickle is damaged: {error}") from error
        raise MalformedFileError("its pickle ends too early")

    def _step(self, name: str, argument: Any) -> None:
        """Carry out one opcode."""
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self._stack.append(_EMPTY[name]())
        elif name in _OPERATIONS:
            _OPERATIONS[name](self, argument)
        else:
            raise MalformedFileError(f"its pickle uses {name}, which torch.save does not write")

    def _protocol(self, version: Any) -> None:
        if version > _HIGHEST_PROTOCOL:
            raise MalformedFileError(f"its pickle is of the unknown protocol {version}")

    def _nothing(self, argument: Any) -> None:
        """Do nothing: FRAME only says how much to read at once."""

    def _mark(self, argument: Any) -> None:
        self._below_marks.append(self._stack)
        self._stack = []

    def _pop_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._below_marks.pop()
        return items

    def _pop(self, argument: Any) -> None:
        self._stack.pop()

    def _put(self, index: Any) -> None:
        self._memo[index] = self._stack[-1]

    def _memoize(self, argument: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, index: Any) -> None:
        self._stack.append(self._memo[index])

    def _tuple(self, argument: Any) -> None:
        items = tuple(self._pop_mark())
        self._stack.append(items)

    def _short_tuple(self, count: int) -> None:
        if len(self._stack) < count:
            raise IndexError("too few items for a tuple")
        items = tuple(self._stack[-count:])
        self._stack[-count:] = [items]

    def _frozenset(self, argument: Any) -> None:
        items = frozenset(map(hashable, self._pop_mark()))
        self._stack.append(items)

    def _append(self, argument: Any) -> None:
        item = self._stack.pop()
        self._top(list).append(item)

    def _appends(self, argument: Any) -> None:
        items = self._pop_mark()
        self._top(list).extend(items)

    def _add_items(self, argument: Any) -> None:
        items = self._pop_mark()
        self._top(set).update(map(hashable, items))

    def _set_item(self, argument: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._top(dict, OrderedDict)[hashable(key)] = value

    def _set_items(self, argument: Any) -> None:
        items = self._pop_mark()
        if len(items) % 2:
            raise IndexError("a key without a value")
        target = self._top(dict, OrderedDict)
        for index in range(0, len(items), 2):
            target[hashable(items[index])] = items[index + 1]

    def _top(self, *kinds: type) -> Any:
        """Return the top of the stack, which has to be of exactly one of these classes."""
        if type(self._stack[-1]) not in kinds:
            raise MalformedFileError(f"items are put into a {type(self._stack[-1]).__name__}")
        return self._stack[-1]

    def _global(self, argument: Any) -> None:
        # genops joins module and name by a space.
        module, _, name = argument.partition(" ")
        self._stack.append(look_up(module, name, self._where))

    def _stack_global(self, argument: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            raise MalformedFileError("a name is not text")
        self._stack.append(look_up(module, name, self._where))

    def _persistent_id(self, argument: Any) -> None:
        self._stack.append(self._find_storage(self._stack.pop()))

    def _reduce(self, argument: Any) -> None:
        arguments, maker = self._stack.pop(), self._stack.pop()
        if not isinstance(maker, Maker) or type(arguments) is not tuple:
            raise untrusted(f"a call of {_name(maker)}", self._where)
        self._stack.append(maker.build(*arguments))

    def _new_object(self, argument: Any) -> None:
        arguments, kind = self._stack.pop(), self._stack.pop()
        if not isinstance(kind, type) or not issubclass(kind, nn.Module) or arguments != ():
            raise untrusted(f"a new {_name(kind)} with arguments", self._where)
        self._stack.append(object.__new__(kind))

    def _new_object_with_names(self, argument: Any) -> None:
        if self._stack.pop() != {}:
            raise untrusted("a new object with named arguments", self._where)
        self._new_object(argument)

    def _build(self, argument: Any) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, nn.Module) and type(state) is dict:
            self._check_layer_state(type(target), state)
            # torch.nn's own __setstate__: it adds attributes that older versions of torch did not write.
            set_state: Callable[[nn.Module, dict[str, Any]], None] = type(target).__setstate__
            set_state(target, state)
        elif type(target) is OrderedDict and type(state) is dict:
            # Of a state_dict. Any other attribute could stand in for a method of the dict.
            if type(state.get("_metadata")) in (dict, OrderedDict):
                vars(target)["_metadata"] = state["_metadata"]
        else:
            raise untrusted(f"the state of {_name(target)} to be set", self._where)

    def _check_layer_state(self, kind: type[nn.Module], state: dict[Any, Any]) -> None:
        """Refuse states that would change what a layer does, or that no layer has."""
        for required in _REQUIRED_STATE:
            if type(state.get(required)) not in (dict, OrderedDict):
                raise MalformedFileError(f"a {kind.__name__} has no {required}")
        if type(state.get("training")) is not bool:
            raise MalformedFileError(f"a {kind.__name__} does not say whether it is training")
        for table, member_kind in _MEMBER_KINDS.items():
            for name, member in state[table].items():
                if type(name) is not str or not name or "." in name:
                    raise MalformedFileError(f"a member of a {kind.__name__} has the name {name!r}")
                if _is_special(name):
                    raise untrusted(f"a {name} of its own in a {kind.__name__}", self._where)
                if member is not None and not isinstance(member, member_kind):
                    raise MalformedFileError(f"{name} of a {kind.__name__} is a {type(member).__name__}")
        for name, value in state.items():
            if type(name) is not str:
                raise MalformedFileError(f"an attribute of a {kind.__name__} is not named by text")
            # What Python and its libraries look up on an instance and call or believe, whatever its class has.
            if _is_special(name):
                raise untrusted(f"a {name} of its own in a {kind.__name__}", self._where)
            if "_hooks" in name and value:
                raise untrusted(f"hooks on a {kind.__name__}", self._where)
            # An attribute that hides a method would make a layer compute something other than its class says.
            if callable(getattr(kind, name, None)) or (name == "_compiled_call_impl" and value is not None):
                raise untrusted(f"another {name} in a {kind.__name__}", self._where)


def _is_special(name: str) -> bool:
    """Return whether a name is one that Python gives a meaning, such as ``__deepcopy__``: no layer's state has one."""
    return name.startswith("__")


def _name(value: object) -> str:
    """Name a class, a maker or an object, without running any of its code."""
    if isinstance(value, Maker):
        return value.name
    return value.__name__ if isinstance(value, type) else f"a {type(value).__name__}"


_OPERATIONS: dict[str, Callable[[RestrictedUnpickler, Any], None]] = {
    "PROTO": RestrictedUnpickler._protocol,
    "FRAME": RestrictedUnpickler._nothing,
    "MARK": RestrictedUnpickler._mark,
    "POP": RestrictedUnpickler._pop,
    "BINPUT": RestrictedUnpickler._put,
    "LONG_BINPUT": RestrictedUnpickler._put,
    "MEMOIZE": RestrictedUnpickler._memoize,
    "BINGET": RestrictedUnpickler._get,
    "LONG_BINGET": RestrictedUnpickler._get,
    "TUPLE": RestrictedUnpickler._tuple,
    "TUPLE1": lambda unpickler, _: unpickler._short_tuple(1),
    "TUPLE2": lambda unpickler, _: unpickler._short_tuple(2),
    "TUPLE3": lambda unpickler, _: unpickler._short_tuple(3),
    "FROZENSET": RestrictedUnpickler._frozenset,
    "APPEND": RestrictedUnpickler._append,
    "APPENDS": RestrictedUnpickler._appends,
    "ADDITEMS": RestrictedUnpickler._add_items,
    "SETITEM": RestrictedUnpickler._set_item,
    "SETITEMS": RestrictedUnpickler._set_items,
    "GLOBAL": RestrictedUnpickler._global,
    "STACK_GLOBAL": RestrictedUnpickler._stack_global,
    "BINPERSID": RestrictedUnpickler._persistent_id,
    "REDUCE": RestrictedUnpickler._reduce,
    "NEWOBJ": RestrictedUnpickler._new_object,
    "NEWOBJ_EX": RestrictedUnpickler._new_object_with_names,
    "BUILD": RestrictedUnpickler._build,
}
