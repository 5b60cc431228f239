// Every sentence that Gatepost itself can say to a client, with its code (RFC 5321, 4954, 3207) and enhanced
// code (RFC 3463, 5248, 4954). What an upstream says is passed on in its own words instead. Pure.
#pragma once

#include "proxy/smtp/reply.h"

namespace gatepost::smtp::replies {

// Fine
inline constexpr StaticReply kHelp{214, "2.0.0", "See RFC 5321; this is a submission service"};
inline constexpr StaticReply kReadyForTls{220, "2.0.0", "Ready to start TLS"};
inline constexpr StaticReply kBye{221, "2.0.0", "Bye"};
inline constexpr StaticReply kAuthenticated{235, "2.7.0", "Authentication successful"};
inline constexpr StaticReply kOk{250, "2.0.0", "OK"};
inline constexpr StaticReply kChunkTaken{250, "2.0.0", "Chunk received"};
inline constexpr StaticReply kCannotVerify{252, "2.5.0", "Cannot verify, but will take the message and try"};

// Temporary
inline constexpr StaticReply kShuttingDown{421, "4.3.2", "Service shutting down, try again"};
inline constexpr StaticReply kEndedByOperator{421, "4.3.2", "Session ended by the operator"};
inline constexpr StaticReply kTimeout{421, "4.4.2", "Timeout, closing connection"};
inline constexpr StaticReply kTooManyErrors{421, "4.7.0", "Too many errors, closing connection"};
inline constexpr StaticReply kTooManyFailures{421, "4.7.0",
                                              "Too many failed authentications, closing connection"};
inline constexpr StaticReply kTooManyConnections{421, "4.3.2", "Too many connections, try again later"};
inline constexpr StaticReply kUpstreamUnreachable{451, "4.4.1",
                                                  "Mail server is not reachable, try again later"};
inline constexpr StaticReply kUpstreamLost{451, "4.4.2",
                                           "Connection to the mail server was lost, try again later"};
inline constexpr StaticReply kUpstreamTimeout{451, "4.4.2",
                                              "Mail server did not answer in time, try again later"};
inline constexpr StaticReply kUpstreamRefuses{451, "4.3.2", "Mail server takes no mail now, try again later"};
inline constexpr StaticReply kUpstreamBusy{451, "4.3.2",
                                           "No connection to the mail server is free, try again later"};
inline constexpr StaticReply kUpstreamUnusable{
    451, "4.3.5", "Mail server does not do what is configured for it, try again later"};
inline constexpr StaticReply kNoRoute{451, "4.3.5", "No mail server is configured for this, try again later"};
inline constexpr StaticReply kUpstreamTls{451, "4.7.5",
                                          "No secure connection to the mail server, try again later"};
inline constexpr StaticReply kUpstreamNonsense{451, "4.3.0",
                                               "Mail server gave an answer that cannot be, try again later"};
inline constexpr StaticReply kTooManyRecipients{452, "4.5.3", "Too many recipients"};
inline constexpr StaticReply kTlsBusy{454, "4.7.0", "TLS not available now, try again later"};
inline constexpr StaticReply kAuthUnavailable{454, "4.7.0",
                                              "Temporary authentication failure, try again later"};
inline constexpr StaticReply kTooManyGuesses{454, "4.7.0",
                                             "Too many failed authentications, try again later"};

// Syntax and sequence
inline constexpr StaticReply kUnrecognized{500, "5.5.1", "Command not recognized"};
inline constexpr StaticReply kLineTooLong{500, "5.5.2", "Line too long"};
inline constexpr StaticReply kAuthLineTooLong{500, "5.5.6", "Authentication exchange line is too long"};
inline constexpr StaticReply kBareNewlineInCommand{500, "5.5.2",
                                                   "Lines must end with CR LF, closing connection"};
inline constexpr StaticReply kControlsInCommand{500, "5.5.2",
                                                "Control characters are not allowed in commands"};
inline constexpr StaticReply kSyntax{501, "5.5.4", "Syntax error in parameters"};
inline constexpr StaticReply kNoArguments{501, "5.5.4", "This command takes no arguments"};
inline constexpr StaticReply kBadGreetingName{501, "5.5.4", "Expected a host name or address literal"};
inline constexpr StaticReply kBadSender{501, "5.1.7", "Expected FROM:<address>"};
inline constexpr StaticReply kBadRecipient{501, "5.1.3", "Expected TO:<address>"};
inline constexpr StaticReply kBadParameter{501, "5.5.4", "Bad value of a parameter"};
inline constexpr StaticReply kBadChunkSize{501, "5.5.4", "Expected BDAT size [LAST]"};
inline constexpr StaticReply kBadAuthSyntax{501, "5.5.4", "Expected AUTH mechanism [initial-response]"};
inline constexpr StaticReply kUndecodable{501, "5.5.2", "Cannot decode base64"};
inline constexpr StaticReply kMalformedResponse{501, "5.5.2", "Malformed authentication response"};
inline constexpr StaticReply kCancelled{501, "5.0.0", "Authentication cancelled"};
inline constexpr StaticReply kNotImplemented{502, "5.5.1", "Command not implemented"};
inline constexpr StaticReply kTlsNotOffered{502, "5.5.1", "TLS is not offered here"};
inline constexpr StaticReply kAuthNotOffered{502, "5.5.1", "Authentication is not offered here"};
inline constexpr StaticReply kGreetFirst{503, "5.5.1", "Send EHLO first"};
inline constexpr StaticReply kTlsAlready{503, "5.5.1", "TLS is already active"};
inline constexpr StaticReply kAuthAlready{503, "5.5.1", "Already authenticated"};
inline constexpr StaticReply kInTransaction{503, "5.5.1", "Not allowed inside a mail transaction"};
inline constexpr StaticReply kNestedMail{503, "5.5.1", "Sender already given"};
inline constexpr StaticReply kMailFirst{503, "5.5.1", "Send MAIL first"};
inline constexpr StaticReply kRecipientFirst{503, "5.5.1", "Send RCPT first"};
inline constexpr StaticReply kChunksBegun{503, "5.5.1", "Chunks have begun, only BDAT may follow"};
inline constexpr StaticReply kUnknownMechanism{504, "5.5.4", "Unrecognized authentication mechanism"};

// Refused
inline constexpr StaticReply kTlsRequired{530, "5.7.0", "Must issue a STARTTLS command first"};
inline constexpr StaticReply kAuthRequired{530, "5.7.0", "Authentication required"};
inline constexpr StaticReply kInvalidCredentials{535, "5.7.8", "Authentication credentials invalid"};
inline constexpr StaticReply kAccountDisabled{525, "5.7.13", "User account disabled"};
inline constexpr StaticReply kEncryptionRequired{538, "5.7.11",
                                                 "Encryption required for this authentication mechanism"};
inline constexpr StaticReply kBareNewlineInData{
    550, "5.6.0", "Message refused: a bare CR or LF, lines must end with CR LF"};
inline constexpr StaticReply kNo8BitMime{550, "5.6.3", "Mail server does not take 8BITMIME"};
inline constexpr StaticReply kNoSmtpUtf8{550, "5.6.7", "Mail server does not take SMTPUTF8"};
inline constexpr StaticReply kRecipientRefused{550, "5.7.1", "This recipient is not allowed here"};
inline constexpr StaticReply kTooLarge{552, "5.3.4", "Message is larger than the limit"};
inline constexpr StaticReply kNeedsSmtpUtf8{553, "5.6.7", "An address that is not ASCII needs SMTPUTF8"};
inline constexpr StaticReply kNotYourSender{553, "5.7.1", "This sender address is not yours"};
inline constexpr StaticReply kNullSenderRefused{553, "5.7.1", "The null sender is not allowed here"};
inline constexpr StaticReply kNoRecipients{554, "5.5.1", "No valid recipients"};
inline constexpr StaticReply kOutOfStep{554, "5.5.0",
                                        "Message data was sent without waiting for 354, closing connection"};
inline constexpr StaticReply kAfterStartTls{554, "5.5.0", "Octets behind STARTTLS, closing connection"};
inline constexpr StaticReply kUnknownParameter{555, "5.5.4", "Parameter not recognized or not implemented"};

}  // namespace gatepost::smtp::replies
