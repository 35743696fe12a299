"""Imports a sitemap: XML with `urlset`."""

from monitoring.importing.draft import Draft, Imported, Secrets

SOURCE = "a sitemap"


def read(text: str) -> Imported | None:
    """The websites; None: the text has another format. Raises `ValueError` for broken XML and for a document type."""
    if not text.lstrip().startswith("<"):
        return None
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root = fromstring(text.strip())
    except ParseError as error:
        raise ValueError(f"is not XML: {error}") from None
    except DefusedXmlException:
        raise ValueError("is XML with a document type of its own, which no sitemap has") from None
    kind = root.tag.rpartition("}")[2]
    found = [node.text.strip() for node in root.iter() if node.tag.rpartition("}")[2] == "loc" and node.text]
    secrets = Secrets()
    if kind == "sitemapindex":
        return Imported(SOURCE, [], secrets, [f"an index of sitemaps; import each of them: {url}" for url in found])
    if kind != "urlset":
        return None
    drafts = [Draft({"URL": url}) for url in dict.fromkeys(found)]
    for draft in drafts:
        draft.keys["URL"] = secrets.url(draft, str(draft.keys["URL"]))
    return Imported(SOURCE, drafts, secrets)
