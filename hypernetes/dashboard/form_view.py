# SPDX-License-Identifier: Apache-2.0
"""A form as a dialog, or as a page of its own where the browser runs no scripts."""

from typing import Any

from horizon import forms


class FormView(forms.ModalFormView):
    """The base of the forms; ``ajax_template_name`` is the form's template in both cases."""

    template_name = "kubernetes/form.html"
    ajax_template_name: str

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the template needs."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"form_template": self.ajax_template_name}
