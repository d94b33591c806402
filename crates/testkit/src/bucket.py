"""An S3-compatible store for tests: moto, behind a check of signatures by botocore.

moto itself lets everybody in. Our requests are signed in their query; what the library of AWS
computes for each of them has to be the same. What a test does itself has the header `x-test`.

The first line that it prints is its port. It ends when its standard input does.
"""

import os
import sys
import threading
from urllib.parse import parse_qsl, quote, urlencode

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

KEY, SECRET = sys.argv[1:3]
UNRESERVED = "-_.~"


def refused(environ):
    """Why a request is refused, or nothing."""
    query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
    signature = query.pop("X-Amz-Signature", None)
    if signature is None:
        return "AccessDenied"
    key, _, region, _, _ = query["X-Amz-Credential"].split("/")
    if key != KEY:
        return "InvalidAccessKeyId"
    host = environ["HTTP_HOST"]
    path = quote(environ["PATH_INFO"], safe="/" + UNRESERVED)
    query_text = urlencode(query, quote_via=quote, safe=UNRESERVED)
    request = AWSRequest(environ["REQUEST_METHOD"], f"http://{host}{path}?{query_text}")
    request.headers["host"] = host
    request.context["timestamp"] = query["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials(KEY, SECRET), "s3", region)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return None if auth.signature(text, request) == signature else "SignatureDoesNotMatch"


store = DomainDispatcherApplication(create_backend_app)


def checked(environ, start_response):
    code = None if environ.get("HTTP_X_TEST") else refused(environ)
    if code is None:
        return store(environ, start_response)
    start_response("403 Forbidden", [("content-type", "application/xml")])
    return [f"<Error><Code>{code}</Code></Error>".encode()]


server = make_server("127.0.0.1", 0, checked, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
os._exit(0)
