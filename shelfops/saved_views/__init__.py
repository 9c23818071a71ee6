"""Filters that a person keeps under a name, for any page whose address holds its filters.

A page gets them by inheriting `SavedViews` before Django's View, with a name in urls.py, and by
including "saved_views/menu.html" in its template with `saved_views` in the context:

    class Inbox(SavedViews, View):
        def get(self, request):
            return render(request, "inbox.html", {"saved_views": self.saved_views, ...})

    {% if saved_views %}{% include "saved_views/menu.html" %}{% endif %}

Every Report has them already. The page's name is the key, so that all product pages share theirs.
What is kept is the query string and nothing else: stores and rights are those of whoever opens it,
when they open it. An address without any filter opens the user's default; NO_VIEW does not.
"""

# The query of a page without filters that opens no default: for links such as "start over".
NO_VIEW = "view="
